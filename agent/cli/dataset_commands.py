"""``dataset remove``: deletes what is kept of a dataset that is no longer configured."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.groups import Group
from agent.cli.output import answer_json, json_option, remark, say
from agent.core.errors import Refused
from agent.operations.declaration import Json
from agent.operations.removing import RemoveRequest
from agent.status.figures import count_text, size_text
from agent.status.text import shown

#: So many generations are named.
_NAMED = 20


@click.group(cls=Group)
def dataset() -> None:
    """Delete what is kept of a dataset that is no longer configured."""


@dataset.command()
@click.argument("dataset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--force", is_flag=True, help="Although generations were promised to stay.")
@json_option
@click.pass_obj
def remove(context: Context, dataset: str, yes: bool, dry_run: bool, force: bool, as_json: bool) -> None:
    """Delete a dataset's catalog, local facts and vault on this node.

    Nothing can be put back from them afterwards. The tree or device itself, source or standby, is left as it is. The dataset must
    be out of the configuration, and that read (hikae reload). Where generations are pinned, or younger than immutable_for
    promised, it is refused without --force."""
    plan: Json | None = None
    if dry_run or not yes:
        plan = context.controls().ask(RemoveRequest(dataset, dry_run=True))
    if plan is not None and not as_json:
        _say_plan(plan)
    if plan is None or not dry_run:
        if plan is not None:
            _require_force(dataset, plan, force)
            _confirm(context, dataset, plan)
        plan = context.controls().ask(RemoveRequest(dataset, force=force))
        if not as_json:
            _say_done(dataset, plan)
    if as_json:
        answer_json(plan)


def _say_plan(plan: Json) -> None:
    for part in plan["parts"]:
        say(f"{part['what']}, {size_text(part['bytes'])}: {', '.join(part['paths'])}")
    _say_promised(plan)


def _say_promised(plan: Json) -> None:
    for one in plan["promised"][:_NAMED]:
        until = "until it is unpinned" if one["pinned"] else f"until {one['until']}"
        label = f" ({shown(one['label'])})" if one["label"] else ""
        remark(f"generation {one['generation']}{label} was promised to stay {until}")
    if len(plan["promised"]) > _NAMED:
        remark(f"and {len(plan['promised']) - _NAMED:,} more")


def _require_force(dataset: str, plan: Json, force: bool) -> None:
    if plan["promised"] and not force:
        reason = f"{count_text(len(plan['promised']), 'generation')} may not go yet, as said above"
        raise Refused("remove the dataset", dataset, reason, "add --force to break that promise")


def _confirm(context: Context, dataset: str, plan: Json) -> None:
    if not context.person.can_be_asked():
        raise Refused(
            "remove the dataset", dataset, "it deletes history and nobody can be asked here", "add --yes if it is meant"
        )
    text = f"Delete this, {size_text(plan['bytes'])}, for good? The tree of {dataset} stays."
    if not context.person.agrees(shown(text)):
        raise Refused("remove the dataset", dataset, "not confirmed", "nothing was changed")


def _say_done(dataset: str, done: Json) -> None:
    for path in done["left"]:
        remark(f"{path} is none of the vault and was left")
    say(f"{dataset}: removed, {size_text(done['bytes'])} freed; its tree is as it was")
