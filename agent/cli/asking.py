"""Asking before something is done that is not undone: what stands in the way is said, and the default is no."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, remark, say
from agent.core.errors import NotFound, Refused
from agent.operations.declaration import Json
from agent.operations.reading import StatusRequest
from agent.status.text import shown


@dataclass(frozen=True, slots=True)
class Question:
    """Of one command. ``danger``: what it does, where nobody can be asked ("it changes …"); ``text``: what is asked."""

    operation: str
    danger: str
    text: str


def hold_of(status: Json, dataset: str) -> Json | None:
    """What is held on this node. Raises ``NotFound`` for a dataset that it does not have."""
    known = {one["name"]: one["hold"] for one in status["datasets"]}
    if dataset not in known:
        names = ", ".join(sorted(known)) or "none"
        raise NotFound("find the dataset", dataset, f"this node has: {names}", "see hikae config show")
    hold = known[dataset]
    return dict(hold) if hold and hold["node"] == status["node"] else None


def is_meant(context: Context, dataset: str, question: Question, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Whether to go on; False after a dry run, which only says what is held. Raises ``Refused`` when it is not confirmed."""
    if yes and not dry_run:
        return True
    hold = hold_of(context.controls().ask(StatusRequest()), dataset)
    if dry_run:
        _answer(dataset, hold, as_json)
        return False
    _confirm(dataset, hold, question)
    return True


def _answer(dataset: str, hold: Json | None, as_json: bool) -> None:
    if as_json:
        told = {"hold": hold["sentence"], "gives_up": hold.get("gives_up")} if hold else {"hold": None}
        answer_json({"dataset": dataset, **told})
        return
    say(f"{dataset}: {hold['sentence'] if hold else 'nothing is held here'}")
    if hold and hold.get("gives_up"):
        say(f"  to accept it gives up {hold['gives_up']}")


def _confirm(dataset: str, hold: Json | None, question: Question) -> None:
    if not sys.stdin.isatty():
        raise Refused(
            question.operation, dataset, f"{question.danger} and nobody can be asked here", "add --yes if it is meant"
        )
    text = question.text
    if hold:
        remark(f"{dataset} is held: {hold['sentence']}")
        if hold.get("gives_up"):
            remark(f"It gives up {hold['gives_up']}.")
            text = f"Begin a higher epoch of {dataset} from what stands here now?"
    if not click.confirm(shown(text), default=False, err=True):
        raise Refused(question.operation, dataset, "not confirmed", "nothing was changed")
