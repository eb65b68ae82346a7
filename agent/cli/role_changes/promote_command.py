"""``promote``: the standby here becomes the primary."""

from __future__ import annotations

from dataclasses import replace

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, progress_shown, remark, say
from agent.core.errors import Refused, UsageError
from agent.operations.declaration import Json
from agent.operations.role_changes.promoting import PromoteRequest
from agent.status.figures import size_text, span_text
from agent.status.page.promotion import loss_text
from agent.status.text import shown


@click.command()
@click.argument("dataset")
@click.option("--force", is_flag=True, help="Although a gate is not met; needs --yes.")
@click.option(
    "--at", metavar="MOMENT", default="", help="Serve an earlier moment: a local time, or the label of a mark."
)
@click.option(
    "--generation", metavar="G", default="", help="Serve a generation: its name, its beginning, label, latest~2."
)
@click.option("--reason", metavar="TEXT", default="", help="Why, for the record.")
@click.option("--approved-by", metavar="NAME", default="", help="Who allowed it, for the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--dry-run", is_flag=True, help="Only say what stands in the way, what would be lost, and how long it takes."
)
@json_option
@click.pass_obj
def promote(
    context: Context,
    dataset: str,
    force: bool,
    at: str,
    generation: str,
    reason: str,
    approved_by: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the standby here the primary, since its primary is dead.

    What was received is applied, an epoch of this node's own begins, and the start hook runs. The old primary is fenced as
    soon as the two meet; hikae rejoin there makes it the standby. While the primary answers, or a gate is not met, it is
    refused, with the gates and what leads on. For a primary that lives, hikae switchover loses nothing."""
    asked = PromoteRequest(dataset, force, reason, approved_by, at, generation)
    if at and generation:
        raise UsageError("promote", dataset, "only one of --at and --generation can be meant")
    if dry_run or not yes:
        plan = context.controls().ask(replace(asked, dry_run=True))
        if dry_run and as_json:
            answer_json(plan)
            return
        _say_plan(dataset, plan)
        if dry_run:
            return
        _confirm(context, dataset)
    with progress_shown(f"promoting {dataset}", not as_json) as progress:
        done = context.controls().ask(asked, progress)
    if as_json:
        answer_json(done)
    else:
        _say_done(dataset, done)


def _say_plan(dataset: str, plan: Json) -> None:
    for gate in plan["gates"]:
        mark = "✓" if gate["ok"] else "✗"
        say(f"  {mark} {gate['name']:<11} {gate['value']}")
        if not gate["ok"]:
            remark(f"      {gate['remedy']}")
    for one in plan["announced"]:
        remark(f"  announced, and not here: {shown(one['path'])} ({size_text(one['bytes'])})")
    say(f"{dataset}: {shown(plan['moment'])}; {loss_text(plan['loss'], plan['rto_ms'])}")


def _confirm(context: Context, dataset: str) -> None:
    if not context.person.can_be_asked():
        reason = "it makes this node the primary and nobody can be asked here"
        raise Refused("promote", dataset, reason, "add --yes if it is meant")
    if not context.person.agrees(shown(f"Make this node the primary of {dataset}?")):
        raise Refused("promote", dataset, "not confirmed", "nothing was changed")


def _say_done(dataset: str, done: Json) -> None:
    for step in done["steps"]:
        say(f"  {step['name']:<14} {span_text(step['ms'] / 1000):>7}  {shown(step['result'])}")
    for one in done["lost"]:
        remark(f"  lost: {shown(str(one))}")
    kept = f"; what stood is generation {done['generation_before']}" if done["generation_before"] else ""
    say(
        f"{dataset}: this node is the primary, in epoch {done['epoch']}, after {span_text(done['rto_ms'] / 1000)}{kept}"
    )
