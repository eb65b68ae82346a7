"""``switchover``: a standby becomes the primary, and the primary its standby, with nothing lost."""

from __future__ import annotations

from dataclasses import replace

import click

from agent.cli.context import Context
from agent.cli.output import progress_shown, remark, say
from agent.cli.role_changes.chosen import Chosen, Said, chosen_options, confirm, each_of, said_options
from agent.core.errors import UsageError
from agent.generations.local_time import time_text
from agent.operations.declaration import Json
from agent.operations.role_changes.switching import SwitchoverRequest
from agent.status.figures import span_text, stamp_ns
from agent.status.text import shown


@click.command()
@chosen_options
@click.option(
    "--to", metavar="NODE", default="", help="The standby that is to be the primary; needed where several are."
)
@click.option("--when", metavar="TIME", default="", help="Do it at that local time, like 02:00.")
@click.option("--cancel", is_flag=True, help="Do not do what was planned with --when.")
@click.option("--force", is_flag=True, help="Although a gate is not met, or a process may be writing into the tree.")
@said_options(dry_run="Only say who would take over, and what stands in the way.")
@click.pass_obj
def switchover(context: Context, which: Chosen, to: str, when: str, cancel: bool, force: bool, said: Said) -> int:
    """Make a standby the primary, and the primary its standby; nothing is lost.

    Typed on either node while both live. The stop hook runs on the primary; once the standby has everything and both states are
    equal, the primary hands over durably, and the start hook runs on the new one. What fails before that leaves the old primary
    serving, after it the new one. A switchover that is cut short goes on by itself when the agent is back."""
    if cancel and when:
        raise UsageError("switchover", which.dataset or which.group, "--when and --cancel were given", "one of both")
    names = which.names(context, "switchover")

    def do(name: str) -> Json | None:
        request = SwitchoverRequest(name, to, force, said.dry_run, said.reason, said.approved_by, when, cancel)
        return _one(context, request, yes=said.yes, as_json=said.as_json)

    return each_of(names, do, one=which.is_one, as_json=said.as_json)


def _one(context: Context, request: SwitchoverRequest, *, yes: bool, as_json: bool) -> Json | None:
    """Of one dataset; what is to be answered."""
    name = request.dataset
    if request.cancel or (request.when and not request.dry_run):
        planned = context.controls().ask(request)
        if not as_json:
            say(_planned(request, planned))
        return planned
    if request.dry_run or not yes:
        plan = context.controls().ask(replace(request, dry_run=True))
        if not (request.dry_run and as_json):
            _say_plan(name, plan)
        if request.dry_run:
            return plan
        confirm(context, "switchover", name, "it moves the primary", f"Make {plan['to']} the primary of {name}?")
    with progress_shown(f"switching {name} over", not as_json) as progress:
        done = context.controls().ask(request, progress)
    if not as_json:
        _say_done(done)
    return done


def _planned(request: SwitchoverRequest, planned: Json) -> str:
    """What is planned is shown and can be called off, so nobody is asked."""
    if request.cancel:
        return f"{request.dataset}: the switchover to {shown(planned['to'])} is called off"
    at = time_text(stamp_ns(planned["at"]))
    return f"{request.dataset}: {shown(planned['to'])} is to be the primary from {at} on"


def _say_plan(dataset: str, plan: Json) -> None:
    remark(f"{dataset}: {shown(plan['to'])} is to be the primary")
    for gate in plan["gates"]:
        remark(f"  {'✓' if gate['ok'] else '✗'} {gate['name']:<18} {gate['value']}")
        if not gate["ok"]:
            remark(f"      {gate['remedy']}")


def _say_done(done: Json) -> None:
    for step in done["steps"]:
        say(f"  {step['name']:<13} {span_text(step['ms'] / 1000):>7}  {shown(step['result'])}")
    for one in done["lost"]:
        remark(f"  forced: {shown(one)}")
