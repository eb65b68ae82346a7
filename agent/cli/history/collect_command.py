"""``generations collect``: what nothing names any more leaves the vault, or is only counted."""

from __future__ import annotations

from datetime import datetime

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, progress_shown, say
from agent.operations.declaration import Json
from agent.operations.upkeep.collecting import GenerationsCollectRequest
from agent.status.figures import size_text


@click.command("collect")
@click.argument("dataset")
@click.option("--dry-run", is_flag=True, help="Only say what would go, and what is written for that.")
@json_option
@click.pass_obj
def collect_generations(context: Context, dataset: str, dry_run: bool, as_json: bool) -> None:
    """Let what no moment needs any more leave the vault now, on the node that keeps it.

    The agent does so once a day by itself, and within an hour once generations were let go of. What came since the last time
    stays until the next. Packs of which much is dead are rewritten; receiving goes on meanwhile."""
    doing = f"{'counting' if dry_run else 'collecting'} in {dataset}"
    with progress_shown(doing, not as_json) as progress:
        found = context.controls().ask(GenerationsCollectRequest(dataset, dry_run), progress)
    if as_json:
        answer_json(found)
    elif dry_run:
        _say_plan(dataset, found)
    elif not (found["chunks"] or found["packs"]):
        say(f"{dataset}: nothing of the vault was to go; what came since the last time stays until the next")
    else:
        say(f"{dataset}: {found['chunks']:,} chunks ({size_text(found['bytes'])}) left the vault")
        if found["packs"]:
            say(f"  {_packs(found['packs'])} went, {size_text(found['written'])} written for that")
        else:
            say("  their space comes back when the packs that they were in are full, or much of them is dead")


def _say_plan(dataset: str, plan: Json) -> None:
    since = datetime.fromisoformat(plan["since"]).astimezone()
    if plan["bytes"]:
        _say_packs(dataset, plan)
    else:
        say(f"{dataset}: a collection now would free nothing of the vault")
    say(f"  what came since {since:%Y-%m-%d %H:%M:%S} is left for the next one")


def _say_packs(dataset: str, plan: Json) -> None:
    dropped, rewritten = plan["dropped"], plan["rewritten"]
    say(f"{dataset}: a collection now would free {size_text(plan['bytes'])} of the vault")
    say(f"  {_packs(dropped['packs'])} would go whole: {size_text(dropped['bytes'])}")
    dead, written = size_text(rewritten["bytes"]), size_text(plan["written"])
    say(f"  {_packs(rewritten['packs'])} would be rewritten: {dead} are dead in them, {written} to be written")


def _packs(count: int) -> str:
    return "1 pack" if count == 1 else f"{count:,} packs"
