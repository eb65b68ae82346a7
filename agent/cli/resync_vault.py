"""``resync --vault``: what a vault that lost packs can get back, and what is lost with it."""

from __future__ import annotations

from agent.cli.context import Context
from agent.cli.output import answer_json, remark, say
from agent.core.errors import Refused
from agent.operations.declaration import Json
from agent.operations.rebuilding import ResyncVaultRequest
from agent.status.figures import count_text

#: So many generations are named.
_NAMED = 20


def resync_vault(context: Context, dataset: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Say what is lost, ask, and put the rest back. Raises ``Refused`` where it is not confirmed."""
    if dry_run or not yes:
        plan = context.controls().ask(ResyncVaultRequest(dataset, dry_run=True))
        if dry_run:
            _answer(plan, _planned(plan), as_json)
            return
        _confirm(context, dataset, plan)
    done = context.controls().ask(ResyncVaultRequest(dataset))
    _answer(done, _done(done), as_json)


def _confirm(context: Context, dataset: str, plan: Json) -> None:
    if not context.person.can_be_asked():
        reason = "it gives up what only older generations needed, and nobody can be asked here"
        raise Refused("resync", dataset, reason, "add --yes if it is meant; --dry-run says what is lost")
    for line in _planned(plan):
        remark(line)
    if not context.person.agrees(f"Fill the vault of {dataset} anew, as far as that goes?"):
        raise Refused("resync", dataset, "not confirmed", "nothing was changed")


def _planned(plan: Json) -> list[str]:
    lacks = (
        f"{plan['dataset']}: the vault in {plan['path']} lacks {count_text(plan['lacking'], 'chunk')} that files need"
    )
    had = f"{plan['obtainable']:,} of them belong to the newest state: the standby or the primary has them"
    return [f"{lacks}; {had}", *_incomplete(plan, "would be")]


def _done(done: Json) -> list[str]:
    left = f"; {count_text(done['left'], 'chunk')} of the newest state could not be had yet" if done["left"] else ""
    return [f"{done['dataset']}: {count_text(done['restored'], 'chunk')} put back{left}", *_incomplete(done, "is")]


def _incomplete(answer: Json, verb: str) -> list[str]:
    lost = answer["incomplete"]
    lines = [
        f"  generation {one['generation']} {verb} incomplete: {count_text(one['files'], 'file')} lost"
        for one in lost[:_NAMED]
    ]
    return lines + ([f"  and {len(lost) - _NAMED:,} more"] if len(lost) > _NAMED else [])


def _answer(answer: Json, lines: list[str], as_json: bool) -> None:
    if as_json:
        answer_json(answer)
    else:
        for line in lines:
            say(line)
