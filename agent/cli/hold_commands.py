"""``accept`` and ``resync``: what a person decides, and is asked about."""

from __future__ import annotations

import click

from agent.cli.asking import Question, is_meant, why_not_accept, why_not_resync
from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, say
from agent.cli.resync_vault import resync_vault
from agent.core.errors import UsageError
from agent.operations.holding import AcceptRequest, ResyncRequest
from agent.status.text import shown


@click.command()
@click.argument("dataset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what is held.")
@json_option
@click.pass_obj
def accept(context: Context, dataset: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Go on although a hold stands.

    What the hold kept from the standby is then done to it, deletions included. On a primary that is rewound or fenced a higher
    epoch begins from what stands here; what that gives up is said first."""
    text = f"Go on and apply this to the standby of {dataset}?"
    source = f"Capture what stands there now as the source of {dataset}? The standby then becomes like it."
    of_source = "it takes another source, and the standby becomes like it,", source
    question = Question("accept", "it changes the standby", text, why_not_accept, of_source)
    if not is_meant(context, dataset, question, yes, dry_run, as_json):
        return
    result = context.controls().ask(AcceptRequest(dataset))
    if as_json:
        answer_json(result)
    else:
        kept = result.get("generation_before")
        say(f"{dataset}: accepted, going on{f'; what stood there is generation {kept}' if kept else ''}")


@click.command()
@click.argument("dataset")
@click.option("--standby", is_flag=True, help="The standby's directory, which is gone or another.")
@click.option("--vault", is_flag=True, help="This node's vault, of which packs are gone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what is held.")
@json_option
@click.pass_obj
def resync(context: Context, dataset: str, standby: bool, vault: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Fill a standby whose directory is gone or another, or a vault that lost packs.

    --standby: what stands at the path is taken over where it equals; what is in the way is moved to .hikae/displaced there; the
    rest comes from this node's vault. Nothing is changed at the old place. --vault: what the newest state needs is taken from the
    standby, else from the primary; what only older generations needed is lost, and they are told as incomplete. Typed on the node
    that keeps the standby."""
    if standby == vault:
        remedy = f"hikae resync {dataset} --standby, or --vault"
        raise UsageError("resync", dataset, "it is not said what to fill anew: one of the two", remedy)
    if vault:
        resync_vault(context, dataset, yes, dry_run, as_json)
        return
    text = f"Take what stands at the standby's path of {dataset} over, and make it equal?"
    question = Question("resync", "it fills a directory", text, why_not_resync)
    if not is_meant(context, dataset, question, yes, dry_run, as_json):
        return
    result = context.controls().ask(ResyncRequest(dataset))
    if as_json:
        answer_json(result)
    else:
        say(f"{dataset}: taking {shown(result['path'])} for the standby; hikae status shows how far it is")
