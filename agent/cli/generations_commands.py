"""``generations`` and ``mark``: what is kept beyond history, and words for moments."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.diff_command import diff
from agent.cli.output import answer_json, commit_text, json_option, progress_shown, remark, say
from agent.operations.declaration import Json
from agent.operations.generations import (
    GenerationsListRequest,
    GenerationsPinRequest,
    GenerationsShowRequest,
    GenerationsTakeRequest,
    GenerationsUnpinRequest,
)
from agent.operations.marking import MarkRequest
from agent.status.figures import size_text

#: Beside the label, which has the rest of 80 columns: generation, time, state, size, entries.
_ROW = "{:<19} {:<16} {:<1} {:>9} {:>10} {}"
_LABEL_WIDTH = 20


@click.command()
@click.argument("dataset")
@click.argument("label")
@json_option
@click.pass_obj
def mark(context: Context, dataset: str, label: str, as_json: bool) -> None:
    """Name this moment, so that --at LABEL finds it.

    It covers all that was written before. Nothing is kept for it: it is found for as long as history reaches; hikae generations
    take keeps a moment for longer."""
    with progress_shown(f"marking {dataset}", not as_json) as progress:
        result = context.controls().ask(MarkRequest(dataset, label), progress)
    if as_json:
        answer_json(result)
    else:
        say(f"{dataset}: {result['label']} is commit {commit_text(result)}, {_local(result['time'])}")


@click.group()
def generations() -> None:
    """Take, list and keep full images of a dataset."""


generations.add_command(diff)


@generations.command("list")
@click.argument("dataset")
@json_option
@click.pass_obj
def list_(context: Context, dataset: str, as_json: bool) -> None:
    """Every generation, the oldest first.

    A generation is named by the UTC time at which it was taken, or by as much of that as only one has, by its label, or as
    latest, latest~1 and so on."""
    with progress_shown(f"listing {dataset}", not as_json) as progress:
        found = context.controls().ask(GenerationsListRequest(dataset), progress)
    if as_json:
        answer_json(found)
    elif not found:
        say(f"{dataset}: no generations yet; hikae generations take {dataset} takes one")
    else:
        _say_list(found)


@generations.command()
@click.argument("dataset")
@click.argument("generation")
@json_option
@click.pass_obj
def show(context: Context, dataset: str, generation: str, as_json: bool) -> None:
    """All that is known of one generation."""
    with progress_shown(f"looking at {dataset}", not as_json) as progress:
        found = context.controls().ask(GenerationsShowRequest(dataset, generation), progress)
    if as_json:
        answer_json(found)
    else:
        for label, words in _facts(found):
            say(f"{label:<12}{words}")


@generations.command("take")
@click.argument("dataset")
@click.option("--label", default="", metavar="L", help="A word for it, by which it can be named.")
@click.option("--pin", is_flag=True, help="Keep it until it is unpinned.")
@json_option
@click.pass_obj
def take_generation(context: Context, dataset: str, label: str, pin: bool, as_json: bool) -> None:
    """Take a generation of what the source is now.

    The primary is asked for a commit of all that was written before. If it does not answer, the newest whole commit here is kept,
    and said to be that."""
    with progress_shown(f"taking a generation of {dataset}", not as_json) as progress:
        result = context.controls().ask(GenerationsTakeRequest(dataset, label, pin), progress)
    if as_json:
        answer_json(result)
        return
    say(f"{dataset}: generation {result['generation']}, commit {commit_text(result)}, {result['consistency']}")
    if result.get("note"):
        remark(f"  {result['note']}")


@generations.command()
@click.argument("dataset")
@click.argument("generation")
@json_option
@click.pass_obj
def pin(context: Context, dataset: str, generation: str, as_json: bool) -> None:
    """Keep a generation until it is unpinned, whatever the rules say."""
    _answer_pin(dataset, context.controls().ask(GenerationsPinRequest(dataset, generation)), as_json)


@generations.command()
@click.argument("dataset")
@click.argument("generation")
@json_option
@click.pass_obj
def unpin(context: Context, dataset: str, generation: str, as_json: bool) -> None:
    """Let the rules decide about a generation again."""
    _answer_pin(dataset, context.controls().ask(GenerationsUnpinRequest(dataset, generation)), as_json)


def _answer_pin(dataset: str, result: Json, as_json: bool) -> None:
    if as_json:
        answer_json(result)
    else:
        state = "pinned: it stays until it is unpinned" if result["pinned"] else "no longer pinned: the rules decide"
        say(f"{dataset}: generation {result['generation']} is {state}")


def _say_list(found: list[Json]) -> None:
    say(_ROW.format("GENERATION", "TAKEN", "", "SIZE", "ENTRIES", "LABEL").rstrip())
    for one in found:
        label = one["label"] if len(one["label"]) <= _LABEL_WIDTH else one["label"][: _LABEL_WIDTH - 1] + "…"
        taken, size = _local(one["time"])[:16], size_text(one["bytes"])
        say(_ROW.format(one["generation"], taken, _state(one), size, f"{one['entries']:,}", label).rstrip())
    if any(one["incomplete"] for one in found):
        remark("! not all here: hikae generations show names how much")
    if any(one["pinned"] for one in found):
        remark("* pinned")


def _state(one: Json) -> str:
    return "!" if one["incomplete"] else "*" if one["pinned"] else ""


def _facts(one: Json) -> list[tuple[str, str]]:
    facts = [
        ("generation", f"{one['generation']}{' (pinned)' if one['pinned'] else ''}"),
        ("label", one["label"]),
        ("node", one["node"]),
        ("taken", f"{_local(one['time'])}, cause: {one['cause']}"),
        ("state of", f"{_local(one['state_time'])}, commit {commit_text(one)}"),
        ("consistency", f"{one['consistency']}{_stood_still(one)}"),
        ("holds", f"{one['entries']:,} entries, {size_text(one['bytes'])}"),
        ("incomplete", f"{one['incomplete']:,} are not all here: hikae status names them" if one["incomplete"] else ""),
        ("note", one["note"]),
        ("immutable", f"until {_local(one['immutable_until'])}" if one["immutable_until"] else ""),
        *(("hook", line) for line in one["hooks"]),
        ("digest", one["digest"]),
    ]
    return [(label, words) for label, words in facts if words]


def _stood_still(one: Json) -> str:
    from agent.status.figures import span_text

    still = one["stood_still_ms"]
    return f"; the source stood still for {span_text(still / 1000)}" if still else ""


def _local(stamp: str | None) -> str:
    """A stamp in local time."""
    from datetime import datetime

    return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M:%S}" if stamp else "never"
