"""``rejoin``: a node that another one has superseded becomes its standby."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import progress_shown, remark, say
from agent.cli.role_changes.chosen import Chosen, Said, chosen_options, confirm, each_of, said_options
from agent.operations.declaration import Json
from agent.operations.role_changes.rejoining import RejoinRequest
from agent.status.figures import span_text
from agent.status.text import shown

#: So many paths are said.
_SAID = 20


@click.command()
@chosen_options
@click.option("--force", is_flag=True, help="Although a gate is not met.")
@said_options(dry_run="Only say whom it would follow, and what stands in the way.")
@click.pass_obj
def rejoin(context: Context, which: Chosen, force: bool, said: Said) -> int:
    """Make this node a standby of the node that was promoted meanwhile.

    Typed on the old primary when it is back, or on a standby that received what the new primary did not. What stands only here
    is kept first, as a pinned generation labelled divergence; then the tree is made what the new primary has, by the difference
    alone. A rejoin that is cut short goes on by itself when the agent is back."""
    names = which.names(context, "rejoin")

    def one(name: str) -> Json:
        if said.dry_run or not said.yes:
            plan = context.controls().ask(RejoinRequest(name, force, dry_run=True))
            if not (said.dry_run and said.as_json):
                _say_plan(name, plan)
            if said.dry_run:
                return plan
            question = f"Make the tree of {name} here what {plan['primary']} has?"
            confirm(context, "rejoin", name, "it changes the tree", question)
        request = RejoinRequest(name, force, reason=said.reason, approved_by=said.approved_by)
        with progress_shown(f"rejoining {name}", not said.as_json) as progress:
            done = context.controls().ask(request, progress)
        if not said.as_json:
            _say_done(name, done)
        return done

    return each_of(names, one, one=which.is_one, as_json=said.as_json)


def _say_plan(dataset: str, plan: Json) -> None:
    remark(f"{dataset}: to become a standby of {shown(plan['primary'])}, in epoch {plan['epoch']}")
    for gate in plan["gates"]:
        if not gate["ok"]:
            remark(f"  {gate['name']}: {shown(gate['value'])}; {gate['remedy']}")


def _say_done(dataset: str, done: Json) -> None:
    for step in done["steps"]:
        say(f"  {step['name']:<12} {span_text(step['ms'] / 1000):>7}  {shown(step['result'])}")
    for path in done["lost"][:_SAID]:
        remark(f"  only here: {shown(path)}")
    if len(done["lost"]) > _SAID:
        remark(f"  and {len(done['lost']) - _SAID:,} more")
    if done["generation_before"]:
        say(f"{dataset}: what stood only here: hikae generations show {dataset} {done['generation_before']}")
