"""``switchover``: a standby becomes the primary, and the primary its standby, with nothing lost."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, progress_shown, remark, say
from agent.core.errors import Refused, UsageError
from agent.generations.local_time import time_text
from agent.operations.declaration import Json
from agent.operations.role_changes.switching import SwitchoverRequest
from agent.status.figures import span_text, stamp_ns
from agent.status.text import shown


@click.command()
@click.argument("dataset")
@click.option(
    "--to", metavar="NODE", default="", help="The standby that is to be the primary; needed where several are."
)
@click.option("--when", metavar="TIME", default="", help="Do it at that local time, like 02:00.")
@click.option("--cancel", is_flag=True, help="Do not do what was planned with --when.")
@click.option("--force", is_flag=True, help="Although a gate is not met, or a process may be writing into the tree.")
@click.option("--reason", metavar="TEXT", default="", help="Kept with the change of role.")
@click.option("--approved-by", metavar="NAME", default="", help="Kept with the change of role.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say who would take over, and what stands in the way.")
@json_option
@click.pass_obj
def switchover(
    context: Context,
    dataset: str,
    to: str,
    when: str,
    cancel: bool,
    force: bool,
    reason: str,
    approved_by: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make a standby the primary, and the primary its standby; nothing is lost.

    Typed on either node while both live. The stop hook runs on the primary; once the standby has everything and both states are
    equal, the primary hands over durably, and the start hook runs on the new one. What fails before that leaves the old primary
    serving, after it the new one. A switchover that is cut short goes on by itself when the agent is back."""
    request = SwitchoverRequest(dataset, to, force, reason=reason, approved_by=approved_by, when=when, cancel=cancel)
    if cancel and when:
        raise UsageError("switchover", dataset, "--when and --cancel were given", "one of both")
    if cancel or (when and not dry_run):
        _plan(context, request, as_json=as_json)
        return
    if dry_run or not yes:
        plan = context.controls().ask(SwitchoverRequest(dataset, to, dry_run=True))
        if dry_run and as_json:
            answer_json(plan)
            return
        _say_plan(dataset, plan)
        if dry_run:
            return
        _confirm(context, dataset, plan)
    with progress_shown(f"switching {dataset} over", not as_json) as progress:
        done = context.controls().ask(request, progress)
    if as_json:
        answer_json(done)
    else:
        _say_done(done)


def _plan(context: Context, request: SwitchoverRequest, *, as_json: bool) -> None:
    """What is planned is shown and can be called off, so nobody is asked."""
    planned = context.controls().ask(request)
    if as_json:
        answer_json(planned)
    elif request.cancel:
        say(f"{request.dataset}: the switchover to {shown(planned['to'])} is called off")
    else:
        at = time_text(stamp_ns(planned["at"]))
        say(f"{request.dataset}: {shown(planned['to'])} is to be the primary from {at} on")


def _say_plan(dataset: str, plan: Json) -> None:
    remark(f"{dataset}: {shown(plan['to'])} is to be the primary")
    for gate in plan["gates"]:
        word = "ok" if gate["ok"] else "NOT MET"
        remark(f"  {gate['name']}: {word}: {shown(gate['value'])}" + (f"; {gate['remedy']}" if not gate["ok"] else ""))


def _confirm(context: Context, dataset: str, plan: Json) -> None:
    if not context.person.can_be_asked():
        raise Refused(
            "switch over", dataset, "it moves the primary and nobody can be asked here", "add --yes if it is meant"
        )
    if not context.person.agrees(shown(f"Make {plan['to']} the primary of {dataset}?")):
        raise Refused("switch over", dataset, "not confirmed", "nothing was changed")


def _say_done(done: Json) -> None:
    for step in done["steps"]:
        say(f"  {step['name']:<13} {span_text(step['ms'] / 1000):>7}  {shown(step['result'])}")
    for one in done["lost"]:
        remark(f"  forced: {shown(one)}")
