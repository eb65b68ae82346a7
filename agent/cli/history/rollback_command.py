"""``rollback``: a living primary's tree back to an earlier moment, in place."""

from __future__ import annotations

from collections.abc import Callable

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, progress_shown, remark, say
from agent.core.errors import Refused, UsageError
from agent.operations.declaration import Json
from agent.operations.role_changes.rolling_back import RollbackRequest
from agent.status.figures import size_text, span_text
from agent.status.text import shown

#: What each step does, before it is done.
_STEPS = {
    "stop": "the stop hook, where there is one",
    "writers": "nobody may have a file open for writing",
    "barrier": "all that was written is captured",
    "generation": "what stands is kept",
    "commit": "the moment becomes the newest commit",
    "converge": "the tree is made equal to it; what is in the way goes to .hikae/displaced",
    "walk": "the whole tree is looked at",
    "start": "the start hook, where there is one",
}


@click.command()
@click.argument("dataset")
@click.option(
    "--at", metavar="MOMENT", default="", help='A local time like "2026-11-22 02:13", or the label of a mark.'
)
@click.option("--generation", metavar="G", default="", help="A generation: its name, its beginning, label, latest~2.")
@click.option(
    "--from", "node", metavar="NODE", default="", help="The node whose history is read; needed where several do."
)
@click.option("--force", is_flag=True, help="Although a process may be writing into the tree.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say which moment is meant, and what stands in the way.")
@json_option
@click.pass_obj
def rollback(
    context: Context,
    dataset: str,
    at: str,
    generation: str,
    node: str,
    force: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring the tree on its primary back to an earlier moment.

    The stop hook runs; what stands is kept as a generation; then the tree is made equal to the moment, and the start hook
    runs. What a process writes meanwhile is not lost: it stays in the tree, or is moved to .hikae/displaced there. A rollback
    that is cut short goes on by itself when the agent is back. Typed on the primary; typed on a standby it brings the standby
    back, which stays there until hikae resume."""
    if bool(generation) == bool(at):
        raise UsageError("rollback", dataset, "one of --at and --generation is needed, and only one")
    plan = context.controls().ask(RollbackRequest(dataset, at, generation, node, force, dry_run=True))
    if dry_run and as_json:
        return answer_json(plan)
    _say_plan(dataset, plan, remark if as_json else say, whole=dry_run or not yes)
    if dry_run:
        return None
    if not yes:
        _confirm(context, dataset, plan)
    if plan.get("generation"):
        # What was said: latest may be another by now.
        at, generation = "", plan["generation"]
    with progress_shown(f"bringing {dataset} back", not as_json) as progress:
        done = context.controls().ask(RollbackRequest(dataset, at, generation, node, force), progress)
    if as_json:
        return answer_json(done)
    return _say_done(dataset, done)


def _say_plan(dataset: str, plan: Json, tell: Callable[[str], None], *, whole: bool) -> None:
    """Which moment it is; ``whole``: and what would be done, and what stands in the way."""
    size = f"{plan['entries']:,} entries, {size_text(plan['bytes'])}"
    tell(f"{dataset}: back to {shown(plan['moment'])}; {size}, from {shown(plan['node'])}")
    if plan["incomplete"]:
        remark(f"  {plan['incomplete']:,} files of that moment never came whole")
    if not whole:
        return
    for step in plan.get("steps", ()):
        tell(f"  {step:<10} {_STEPS.get(step, '')}".rstrip())
    for gate in plan["gates"]:
        if not gate["ok"]:
            remark(f"  {gate['name']}: {shown(gate['value'])}; {gate['remedy']}")


def _confirm(context: Context, dataset: str, plan: Json) -> None:
    if not context.person.can_be_asked():
        reason = "it changes the tree and nobody can be asked here"
        raise Refused("roll back", dataset, reason, "add --yes if it is meant")
    if not context.person.agrees(shown(f"Bring the tree of {dataset} back to {plan['moment']}?")):
        raise Refused("roll back", dataset, "not confirmed", "nothing was changed")


def _say_done(dataset: str, done: Json) -> None:
    for step in done["steps"]:
        say(f"  {step['name']:<10} {span_text(step['ms'] / 1000):>7}  {shown(step['result'])}")
    for one in done["lost"]:
        remark(f"  forced: {shown(one)}")
    if done["role"] == "standby":
        say(f"{dataset}: the standby is back and stays there; hikae resume {dataset} lets it go on")
        return
    say(f"{dataset}: the tree is back; what stood is generation {done['generation_before']}")
