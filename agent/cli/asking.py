"""Asking before something is done that is not undone: what stands in the way is said, and the default is no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.cli.context import Context
from agent.cli.output import answer_json, remark, say
from agent.core.errors import NotFound, Refused
from agent.core.hold import OF_SOURCE, TAKEN_ANEW, Hold, unaccepted
from agent.operations.declaration import Json
from agent.operations.reading import StatusRequest
from agent.status.state import Role
from agent.status.text import shown


@dataclass(frozen=True, slots=True)
class Question:
    """Of one command. ``danger``: what it does, where nobody can be asked ("it changes …"); ``text``: what is asked;
    ``refusal``: why the agent would refuse it and what leads on, of a dataset in the published value and this node's name; None
    where it would not; ``of_source``: danger and text where another source stands in place of the one that was captured."""

    operation: str
    danger: str
    text: str
    refusal: Callable[[Json, str], tuple[str, str] | None]
    of_source: tuple[str, str] | None = None

    def of(self, hold: Json) -> tuple[str, str]:
        """What it does, and what is asked, for this hold."""
        return self.of_source if self.of_source and hold["code"] in OF_SOURCE else (self.danger, self.text)


def why_not_accept(dataset: Json, here: str) -> tuple[str, str] | None:
    """See ``Question``: what is held is to be held on this node, and by what ``accept`` ends."""
    told = dataset["hold"]
    hold = Hold(told["code"], told["sentence"], told["remedy"]) if told else None
    return unaccepted(hold, told["node"] if told else "", here, dataset["name"])


def why_not_resync(dataset: Json, here: str) -> tuple[str, str] | None:
    """See ``Question``: it is for a standby whose directory is gone or another."""
    if dataset["role"] != Role.STANDBY:
        return f"this node is its {dataset['role']}", f"type it on {', '.join(dataset['standbys'])}"
    held = dataset["hold"]
    if held and held["node"] == here and held["code"] in TAKEN_ANEW:
        return None
    reason = "its standby is the one that it was; nothing is to be taken over"
    return reason, f"hikae verify {dataset['name']} --repair makes it equal"


def is_meant(context: Context, dataset: str, question: Question, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Whether to go on; False after a dry run, which only says what is held. Raises ``Refused`` when it is not confirmed, or
    would be refused."""
    if yes and not dry_run:
        return True
    status = context.controls().ask(StatusRequest())
    found = _dataset_of(status, dataset)
    if refusal := question.refusal(found, status["node"]):
        raise Refused(question.operation, dataset, *refusal)
    if dry_run:
        _answer(dataset, found["hold"], as_json)
        return False
    _confirm(context, dataset, found["hold"], question)
    return True


def _dataset_of(status: Json, dataset: str) -> Json:
    """Raises ``NotFound`` for a dataset that this node does not have."""
    known: dict[str, Json] = {one["name"]: one for one in status["datasets"]}
    if dataset not in known:
        names = ", ".join(sorted(known)) or "none"
        raise NotFound("find the dataset", dataset, f"this node has: {names}", "see hikae config show")
    return known[dataset]


def _answer(dataset: str, hold: Json, as_json: bool) -> None:
    if as_json:
        answer_json({"dataset": dataset, "hold": hold["sentence"], "gives_up": hold.get("gives_up")})
        return
    say(f"{dataset}: {hold['sentence']}")
    if hold.get("gives_up"):
        say(f"  to accept it gives up {hold['gives_up']}")


def _confirm(context: Context, dataset: str, hold: Json, question: Question) -> None:
    danger, text = question.of(hold)
    if not context.person.can_be_asked():
        reason = f"{danger} and nobody can be asked here"
        raise Refused(question.operation, dataset, reason, "add --yes if it is meant")
    remark(f"{dataset} is held: {hold['sentence']}")
    if hold.get("gives_up"):
        remark(f"It gives up {hold['gives_up']}.")
        text = f"Begin a higher epoch of {dataset} from what stands here now?"
    if not context.person.agrees(shown(text)):
        raise Refused(question.operation, dataset, "not confirmed", "nothing was changed")
