"""``generations`` and ``mark``: what is kept beyond history, and words for moments."""

from __future__ import annotations

import shutil

import click

from agent.cli.context import Context
from agent.cli.group_generations import TakenSo, take_group
from agent.cli.groups import Group
from agent.cli.history.collect_command import collect_generations
from agent.cli.history.diff_command import diff
from agent.cli.history.generations_verify_command import verify_generations
from agent.cli.output import answer_json, commit_text, json_option, progress_shown, remark, say
from agent.cli.retention_page import counted_generations, say_plan, say_simulation
from agent.core.errors import Refused, UsageError
from agent.operations.declaration import Json
from agent.operations.elsewhere.offline import GenerationsTakeOfflineRequest
from agent.operations.generations import (
    GenerationsExpireRequest,
    GenerationsListRequest,
    GenerationsPinRequest,
    GenerationsShowRequest,
    GenerationsTakeRequest,
    GenerationsUnpinRequest,
)
from agent.operations.marking import MarkRequest
from agent.operations.reading import StatusRequest
from agent.status.figures import size_text
from agent.status.state import Role
from agent.status.text import shown

#: Beside the label, which has the rest of 80 columns: generation, time, state, size, entries.
_ROW = "{:<19} {:<16} {:<1} {:>9}{} {:>10} {}"
_LABEL_WIDTH = 20
#: What of the size only this generation has, as it lies in the vault, and what others have too: where there is room for it.
_SPACE, _WITH_SPACE = " {:>9} {:>9}", 100


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


@click.group(cls=Group)
def generations() -> None:
    """Take, list and keep full images of a dataset."""


generations.add_command(diff)
generations.add_command(verify_generations)
generations.add_command(collect_generations)


@generations.command("list")
@click.argument("dataset")
@json_option
@click.pass_obj
def list_(context: Context, dataset: str, as_json: bool) -> None:
    """Every generation, the oldest first.

    A generation is named by the UTC time at which it was taken, or by as much of that as only one has, by its label, or as
    latest, latest~1 and so on."""
    silent = [] if as_json else _silent_peers(context, dataset)
    with progress_shown(f"listing {dataset}", not as_json) as progress:
        found = context.controls().ask(GenerationsListRequest(dataset), progress)
    if as_json:
        answer_json(found)
    elif found:
        _say_list(found)
    elif not silent:
        say(f"{dataset}: no generations yet; hikae generations take {dataset} takes one")
    for node in silent:
        remark(f"{node} does not answer: what it keeps is not listed")


def _silent_peers(context: Context, dataset: str) -> list[str]:
    """The other nodes of the dataset that are not connected."""
    status = context.controls().ask(StatusRequest())
    rows = [one for one in status["datasets"] if one["name"] == dataset and one["role"] == Role.PRIMARY]
    return [peer["name"] for one in rows for peer in one["peers"] if not peer["connected"]]


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
@click.argument("dataset", default="")
@click.option("--group", metavar="G", default="", help="One of each dataset of this group, all of one moment.")
@click.option("--label", default="", metavar="L", help="A word for it, by which it can be named.")
@click.option("--pin", is_flag=True, help="Keep it until it is unpinned.")
@click.option("--offline", is_flag=True, help="Stop the application for it, by its hooks; typed on the primary.")
@json_option
@click.pass_obj
def take_generation(
    context: Context, dataset: str, group: str, label: str, pin: bool, offline: bool, as_json: bool
) -> None:
    """Take a generation of what the source is now.

    The primary is asked for a commit of all that was written before. If it does not answer, the newest whole commit here is kept,
    and said to be that. With --offline the stop hook runs first, all is waited for until it is durable, and the start hook runs
    after it.

    With --group all datasets of the group stand still together, trees and devices, and one generation of each is kept, all of
    that moment; or none, where one of them cannot."""
    if bool(dataset) == bool(group):
        reason = "one of DATASET and --group G is needed, and only one"
        raise UsageError("take a generation", dataset or group, reason, "hikae generations take DATASET")
    if group:
        return take_group(context, group, TakenSo(label, pin, offline), as_json)
    if offline and pin:
        reason = "--pin is typed on the node of the vault, and --offline on the primary"
        raise UsageError(
            "take a generation", dataset, reason, f"there, afterwards: hikae generations pin {dataset} latest"
        )
    asked = GenerationsTakeOfflineRequest(dataset, label) if offline else GenerationsTakeRequest(dataset, label, pin)
    with progress_shown(f"taking a generation of {dataset}", not as_json) as progress:
        result = context.controls().ask(asked, progress)
    if as_json:
        return answer_json(result)
    say(f"{dataset}: generation {result['generation']}, commit {commit_text(result)}, {result['consistency']}")
    if offline:
        say(f"  the application was down for {result['down_ms'] / 1000:.1f} s, and runs again")
    if result.get("note"):
        remark(f"  {result['note']}")
    return None


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


@generations.command()
@click.argument("dataset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would go, and why each other stays.")
@click.option("--simulate", is_flag=True, help="Show what the rules would keep after three years of the schedule.")
@json_option
@click.pass_obj
def expire(context: Context, dataset: str, yes: bool, dry_run: bool, simulate: bool, as_json: bool) -> None:
    """Let go of the generations that no rule keeps.

    The agent does so by itself once history has passed them. What is pinned, read, or younger than immutable_for stays."""
    if simulate:
        return say_simulation(
            dataset, context.controls().ask(GenerationsExpireRequest(dataset, simulate=True)), as_json
        )
    plan = context.controls().ask(GenerationsExpireRequest(dataset, dry_run=True))
    if not (dry_run and as_json):
        say_plan(dataset, plan, dry_run, remark if as_json else say)
    if not dry_run and plan["goes"]:
        if not yes:
            _confirm(context, dataset, len(plan["goes"]))
        plan = context.controls().ask(GenerationsExpireRequest(dataset))
        if not as_json:
            say(f"{dataset}: {counted_generations(len(plan['goes']))} let go of, {len(plan['stays'])} stay")
    if as_json:
        answer_json(plan)
    return None


def _confirm(context: Context, dataset: str, count: int) -> None:
    """Raises ``Refused`` unless it is meant."""
    what = counted_generations(count)
    if not context.person.can_be_asked():
        reason = f"it lets go of {what} and nobody can be asked here"
        raise Refused("expire generations", dataset, reason, "add --yes if it is meant")
    if not context.person.agrees(f"Let go of {what} of {shown(dataset)}?"):
        raise Refused("expire generations", dataset, "not confirmed", "nothing was changed")


def _answer_pin(dataset: str, result: Json, as_json: bool) -> None:
    if as_json:
        answer_json(result)
    else:
        state = "pinned: it stays until it is unpinned" if result["pinned"] else "no longer pinned: the rules decide"
        say(f"{dataset}: generation {result['generation']} is {state}")


def _say_list(found: list[Json]) -> None:
    wide = shutil.get_terminal_size().columns >= _WITH_SPACE
    columns = _SPACE.format("OWN", "SHARED") if wide else ""
    say(_ROW.format("GENERATION", "TAKEN", "", "SIZE", columns, "ENTRIES", "LABEL").rstrip())
    for one in found:
        label = one["label"] if len(one["label"]) <= _LABEL_WIDTH else one["label"][: _LABEL_WIDTH - 1] + "…"
        taken, size = _local(one["time"])[:16], size_text(one["bytes"])
        space = _SPACE.format(_size(one.get("own_bytes")), _size(one.get("shared_bytes"))) if wide else ""
        row = _ROW.format(one["generation"], taken, _state(one), size, space, f"{one['entries']:,}", label)
        say(row.rstrip())
    if any(one["incomplete"] for one in found):
        remark("! not all here: hikae generations show names how much")
    if any(one["pinned"] for one in found):
        remark("* pinned")
    if groups := sorted({one["together"].rpartition("/")[0] for one in found if one.get("together")}):
        remark(f"+ of one moment with the other datasets of group {', '.join(groups)}")


def _size(count: int | None) -> str:
    return "?" if count is None else size_text(count)


def _state(one: Json) -> str:
    return "!" if one["incomplete"] else "*" if one["pinned"] else "+" if one.get("together") else ""


def _facts(one: Json) -> list[tuple[str, str]]:
    facts = [
        ("generation", f"{one['generation']}{' (pinned)' if one['pinned'] else ''}"),
        ("label", one["label"]),
        ("node", one["node"]),
        ("taken", f"{_local(one['time'])}, cause: {one['cause']}"),
        ("state of", f"{_local(one['state_time'])}, commit {commit_text(one)}"),
        ("consistency", f"{one['consistency']}{_stood_still(one)}"),
        ("holds", f"{one['entries']:,} entries, {size_text(one['bytes'])}"),
        ("space", _space(one)),
        *(("incomplete" if not place else "", line) for place, line in enumerate(_lacking(one))),
        ("together", _with_others(one.get("together", ""))),
        ("note", one["note"]),
        ("immutable", f"until {_local(one['immutable_until'])}" if one["immutable_until"] else ""),
        *(("hook", line) for line in one["hooks"]),
        ("digest", one["digest"]),
    ]
    return [(label, words) for label, words in facts if words]


def _space(one: Json) -> str:
    if one.get("own_bytes") is None:
        return "too many files differ around it for its own space to be counted"
    own, shared = size_text(one["own_bytes"]), size_text(one["shared_bytes"])
    return f"{own} of the vault for it alone; other moments have {shared} of it too"


def _lacking(one: Json) -> list[str]:
    """How much is not all here, and what: what a divergence lacks is known here, all else to status."""
    if not one["incomplete"]:
        return []
    count, paths = one["incomplete"], one.get("lacking", [])
    if not paths:
        return [f"{count:,} are not all here: hikae status names them"]
    more = [f"and {count - len(paths):,} more"] if count > len(paths) else []
    return [f"{count:,} are not all here, changed by somebody before they were copied:", *paths, *more]


def _with_others(together: str) -> str:
    group, _, moment = together.rpartition("/")
    return f"of one moment with the other datasets of group {group}: {moment}" if group else ""


def _stood_still(one: Json) -> str:
    from agent.status.figures import span_text

    still = one["stood_still_ms"]
    return f"; the source stood still for {span_text(still / 1000)}" if still else ""


def _local(stamp: str | None) -> str:
    """A stamp in local time."""
    from datetime import datetime

    return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M:%S}" if stamp else "never"
