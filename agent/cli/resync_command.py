"""``hikae resync``: another directory for a standby."""

from __future__ import annotations

import sys

import click

from agent.cli.context import Context
from agent.cli.dataset_commands import answer_hold, hold_of
from agent.cli.output import answer_json, json_option, remark, say
from agent.core.errors import Refused, UsageError
from agent.status.text import shown


@click.command()
@click.argument("dataset")
@click.option("--standby", is_flag=True, help="The standby's directory: required, since it says what is given up.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what is held.")
@json_option
@click.pass_obj
def resync(context: Context, dataset: str, standby: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Fill a standby whose directory is gone or another.

    What stands at the path is taken over where it equals; what is in the way is moved to .hikae/displaced there; the rest comes
    from this node's vault. Nothing is changed at the old place. Typed on the node that keeps the standby."""
    if not standby:
        raise UsageError("resync", dataset, "it is not said what to fill anew", f"hikae resync {dataset} --standby")
    controls = context.controls()
    if dry_run or not yes:
        hold = hold_of(controls.status(), dataset)
        if dry_run:
            answer_hold(dataset, hold, as_json)
            return
        _confirm(dataset, hold)
    result = controls.resync(dataset)
    if as_json:
        answer_json(result)
    else:
        say(f"{dataset}: taking {shown(result['path'])} for the standby; hikae status shows how far it is")


def _confirm(dataset: str, hold: str | None) -> None:
    if not sys.stdin.isatty():
        reason = "it fills a directory and nobody can be asked here"
        raise Refused("resync", dataset, reason, "add --yes if it is meant")
    if hold:
        remark(f"{dataset} is held: {hold}")
    question = f"Take what stands at the standby's path of {dataset} over, and make it equal?"
    if not click.confirm(shown(question), default=False, err=True):
        raise Refused("resync", dataset, "not confirmed", "nothing was changed")
