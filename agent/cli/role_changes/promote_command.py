"""``promote``: the standby here becomes the primary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import click

from agent.cli.context import Context
from agent.cli.output import progress_shown, remark, say
from agent.cli.role_changes.chosen import Chosen, Said, chosen_options, confirm, each_of, said_options
from agent.core.errors import UsageError
from agent.operations.declaration import Json
from agent.operations.role_changes.promoting import PromoteRequest
from agent.status.figures import size_text, span_text
from agent.status.page.promotion import loss_text, lost_paths
from agent.status.text import shown


@click.command()
@chosen_options
@click.option("--force", is_flag=True, help="Although a gate is not met.")
@click.option(
    "--at", metavar="MOMENT", default="", help="Serve an earlier moment: a local time, or the label of a mark."
)
@click.option(
    "--generation", metavar="G", default="", help="Serve a generation: its name, its beginning, label, latest~2."
)
@said_options(dry_run="Only say what stands in the way, what would be lost, and how long it takes.")
@click.pass_obj
def promote(context: Context, which: Chosen, force: bool, at: str, generation: str, said: Said) -> int:
    """Make the standby here the primary, since its primary is dead.

    What was received is applied, an epoch of this node's own begins, and the start hook runs. The old primary is fenced as
    soon as the two meet; hikae rejoin there makes it the standby. While the primary answers, or a gate is not met, it is
    refused, with the gates and what leads on. For a primary that lives, hikae switchover loses nothing.

    With --group, --generation and --at mean a moment of the group, which hikae generations take --group took: each dataset serves
    its part of that one."""
    if at and generation:
        raise UsageError("promote", which.dataset or which.group, "only one of --at and --generation can be meant")
    names = which.names(context, "promote")
    parts = _parts(context, which, names, at, generation)

    def one(name: str) -> Json | None:
        meant = ("", parts[name]) if parts else (at, generation)
        asked = PromoteRequest(name, force, said.reason, said.approved_by, *meant)
        if said.dry_run or not said.yes:
            plan = context.controls().ask(replace(asked, dry_run=True))
            if not (said.dry_run and said.as_json):
                _say_plan(name, plan)
            if said.dry_run:
                return plan
            danger, question = "it makes this node the primary", f"Make this node the primary of {name}?"
            confirm(context, "promote", name, danger, question)
        return _done(context, asked, said.as_json)

    return each_of(names, one, one=which.is_one, as_json=said.as_json)


def _parts(context: Context, which: Chosen, names: list[str], at: str, generation: str) -> Mapping[str, str]:
    """The generation of each dataset that is of one moment of the group; none where no moment of a group is meant."""
    if not which.group or not (at or generation):
        return {}
    from agent.cli.history.group_moment import moment_asked

    moment = moment_asked(context, which.group, names, generation, at)
    remark(moment.sentence(which.group))
    return moment.parts


def _done(context: Context, asked: PromoteRequest, as_json: bool) -> Json:
    with progress_shown(f"promoting {asked.dataset}", not as_json) as progress:
        done = context.controls().ask(asked, progress)
    if not as_json:
        _say_done(asked.dataset, done)
    return done


def _say_plan(dataset: str, plan: Json) -> None:
    for gate in plan["gates"]:
        mark = "✓" if gate["ok"] else "✗"
        say(f"  {mark} {gate['name']:<11} {gate['value']}")
        if not gate["ok"]:
            remark(f"      {gate['remedy']}")
    for one in plan["announced"]:
        remark(f"  announced, and not here: {shown(one['path'])} ({size_text(one['bytes'])})")
    say(f"{dataset}: {shown(plan['moment'])}; {loss_text(plan)}")


def _say_done(dataset: str, done: Json) -> None:
    for step in done["steps"]:
        say(f"  {step['name']:<14} {span_text(step['ms'] / 1000):>7}  {shown(step['result'])}")
    for one in lost_paths(done):
        remark(f"  lost: {shown(one)}")
    kept = f"; what stood is generation {done['generation_before']}" if done["generation_before"] else ""
    say(
        f"{dataset}: this node is the primary, in epoch {done['epoch']}, after {span_text(done['rto_ms'] / 1000)}{kept}"
    )
