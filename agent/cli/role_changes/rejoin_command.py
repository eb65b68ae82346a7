"""``rejoin``: a node that another one has superseded becomes its standby."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import json_option, progress_shown, remark, say
from agent.cli.role_changes.chosen import chosen, chosen_options, confirm, each_of, reason_options
from agent.operations.declaration import Json
from agent.operations.role_changes.rejoining import RejoinRequest
from agent.status.figures import span_text
from agent.status.text import shown

#: So many paths are said.
_SAID = 20


@click.command()
@chosen_options
@click.option("--force", is_flag=True, help="Although a gate is not met.")
@reason_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say whom it would follow, and what stands in the way.")
@json_option
@click.pass_obj
def rejoin(
    context: Context,
    dataset: str,
    group: str,
    every: bool,
    force: bool,
    reason: str,
    approved_by: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make this node a standby of the node that was promoted meanwhile.

    Typed on the old primary when it is back, or on a standby that received what the new primary did not. What stands only here
    is kept first, as a pinned generation labelled divergence; then the tree is made what the new primary has, by the difference
    alone. A rejoin that is cut short goes on by itself when the agent is back."""
    names = chosen(context, "rejoin", dataset, group, every)

    def one(name: str) -> Json:
        if dry_run or not yes:
            plan = context.controls().ask(RejoinRequest(name, force, dry_run=True))
            if not (dry_run and as_json):
                _say_plan(name, plan)
            if dry_run:
                return plan
            question = f"Make the tree of {name} here what {plan['primary']} has?"
            confirm(context, "rejoin", name, "it changes the tree", question)
        request = RejoinRequest(name, force, reason=reason, approved_by=approved_by)
        with progress_shown(f"rejoining {name}", not as_json) as progress:
            done = context.controls().ask(request, progress)
        if not as_json:
            _say_done(name, done)
        return done

    return each_of(names, one, one=bool(dataset), as_json=as_json)


def _say_plan(dataset: str, plan: Json) -> None:
    remark(f"{dataset}: to become a standby of {shown(plan['primary'])}, in epoch {plan['epoch']}")
    for gate in plan["gates"]:
        if not gate["ok"]:
            remark(f"  {gate['name']}: {shown(gate['value'])}; {gate['remedy']}")


def _say_done(dataset: str, done: Json) -> None:
    for step in done["steps"]:
        say(f"  {step['name']:<10} {span_text(step['ms'] / 1000):>7}  {shown(step['result'])}")
    for path in done["lost"][:_SAID]:
        remark(f"  only here: {shown(path)}")
    if len(done["lost"]) > _SAID:
        remark(f"  and {len(done['lost']) - _SAID:,} more")
    if done["generation_before"]:
        say(f"{dataset}: what stood only here: hikae generations show {dataset} {done['generation_before']}")
