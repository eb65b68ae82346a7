"""What is asked, and what the published state answers: a code and one word. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.status.published import Json
from agent.status.state import Role, State
from agent.status.text import shown
from agent.web.looking import StateLook
from agent.web.serving import UNFIT, gates, lag_here, promotable, serves, stands_by

_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
PLAIN, JSON_TYPE = "text/plain; charset=utf-8", "application/json"


class RoleAsked(StrEnum):
    """What a load balancer wants to know of a dataset."""

    PRIMARY = "primary"
    STANDBY = "standby"
    PROMOTABLE = "promotable"


@dataclass(frozen=True, slots=True)
class RoleQuestion:
    """``dataset`` or ``group``: of which; neither: of all. ``max_lag``: seconds; None: any."""

    asked: RoleAsked
    dataset: str | None = None
    group: str | None = None
    max_lag: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP code, and what stands below it."""

    code: int
    body: str
    kind: str = PLAIN


class WrongQuestion(ValueError):
    """The words say what is wrong with it, for who asked."""


def question_of(
    asked: RoleAsked, parameters: Mapping[str, list[str]], dataset: str | None = None, group: str | None = None
) -> RoleQuestion:
    """The question of an address. Raises ``WrongQuestion``."""
    known = ("max_lag",) if asked is RoleAsked.STANDBY else ()
    for name, values in parameters.items():
        if name not in known:
            takes = "only max_lag" if known else "no parameters"
            raise WrongQuestion(f"{shown(name)!r} is no parameter: /{asked} takes {takes}")
        if len(values) > 1:
            raise WrongQuestion(f"{name} stands there {len(values)} times: write it once")
    given = parameters.get("max_lag")
    return RoleQuestion(asked, dataset, group, _seconds(given[0]) if given else None)


def answer(look: StateLook, question: RoleQuestion) -> Answer:
    """200 where all that is asked for is so; 404 for a name that this node does not know; else 503."""
    value = look.fresh
    if value is None:
        return Answer(503, "stale")
    chosen = chosen_of(value, question.dataset, question.group)
    if not chosen:
        return Answer(404 if question.dataset or question.group else 503, "unknown" if value["datasets"] else "none")
    if question.asked is RoleAsked.PROMOTABLE:
        return _promotable(chosen, one=question.dataset is not None)
    words = [_WORDS[question.asked](dataset, question, look.stood) for dataset in chosen]
    wrong = next((word for good, word in words if not good), None)
    return Answer(200, words[0][1]) if wrong is None else Answer(503, wrong)


def chosen_of(value: Json, dataset: str | None, group: str | None) -> list[Json]:
    """The datasets of that name, or of that group; all of them for neither."""
    return [
        one
        for one in value["datasets"]
        if (dataset is None or one["name"] == dataset) and (group is None or one.get("group") == group)
    ]


def _primary(dataset: Json, _: RoleQuestion, __: float) -> tuple[bool, str]:
    return (True, "primary") if serves(dataset) else (False, _why_not(dataset, "primary"))


def _standby(dataset: Json, question: RoleQuestion, stood: float) -> tuple[bool, str]:
    if not stands_by(dataset):
        return False, _why_unread(dataset)
    lag = lag_here(dataset, stood)
    if question.max_lag is None or (lag is not None and lag <= question.max_lag):
        return True, "standby"
    return False, "lag-unknown" if lag is None else "lags"


#: Words that say by themselves why a standby is none to read from.
_TOLD = frozenset({*(role.value for role in Role if role is not Role.STANDBY), *(state.value for state in UNFIT)})


def _why_unread(dataset: Json) -> str:
    """Its state may be another word, such as that nobody is connected: what it lacks is a whole state."""
    why = _why_not(dataset, "standby")
    if why in _TOLD:
        return why
    if not dataset.get("opened", True):
        return "not-open"
    if dataset.get("first_sync"):
        return State.FIRST_SYNC.value
    return why if why == State.HELD else "not-whole"


def _why_not(dataset: Json, role: str) -> str:
    """Its role where that is another one, else the state that keeps it from it."""
    return str(dataset["state"] if dataset["role"] == role else dataset["role"])


_WORDS: dict[RoleAsked, Callable[[Json, RoleQuestion, float], tuple[bool, str]]] = {
    RoleAsked.PRIMARY: _primary,
    RoleAsked.STANDBY: _standby,
}


def _promotable(chosen: list[Json], one: bool) -> Answer:
    """Each gate with value and remedy."""
    told = [
        {
            "name": dataset["name"],
            "promotable": promotable(dataset),
            "role": dataset["role"],
            "state": dataset["state"],
            "gates": gates(dataset),
        }
        for dataset in chosen
    ]
    good = all(row["promotable"] for row in told)
    return Answer(
        200 if good else 503, json.dumps(told[0] if one else {"promotable": good, "datasets": told}), JSON_TYPE
    )


def _seconds(text: str) -> float:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise WrongQuestion(f"{shown(text)!r} is no duration for max_lag: write a number and ms, s, m or h, like 30s")
    return float(found[1]) * _SECONDS[found[2]]
