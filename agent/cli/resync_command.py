"""``hikae resync``: another directory for a standby."""

from __future__ import annotations

import click

from agent.cli.asking import Question, is_meant, why_not_resync
from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, say
from agent.core.errors import UsageError
from agent.operations.holding import ResyncRequest
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
    text = f"Take what stands at the standby's path of {dataset} over, and make it equal?"
    question = Question("resync", "it fills a directory", text, why_not_resync)
    if not is_meant(context, dataset, question, yes, dry_run, as_json):
        return
    result = context.controls().ask(ResyncRequest(dataset))
    if as_json:
        answer_json(result)
    else:
        say(f"{dataset}: taking {shown(result['path'])} for the standby; hikae status shows how far it is")
