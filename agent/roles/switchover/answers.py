"""What the node that is to take over answers to the primary, read as another's word (law 6).

Whatever it says, its step fails as a step does: the application that was stopped for it runs again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from agent.core.chunks import NAME_SIZE
from agent.core.errors import HikaeError
from agent.roles.switchover.steps import Gates, StandsAt
from agent.status.text import shown

#: Characters of one text of an answer that are kept, and gates or steps of one answer.
_TEXT, _MOST = 1024, 64
_LARGEST = 1 << 63
_Answer: TypeAlias = Mapping[str, Any]  # Any: JSON is a foreign edge


def gates_in(node: str, answer: object) -> Gates:
    """The gates that ``node`` says it has. Raises ``HikaeError`` for what no node says, as all here."""
    return [_gate(node, one) for one in _listed(node, answer, "gates")]


def said_in(node: str, answer: object) -> str:
    """How what it prepared went, for people."""
    return _text(node, _object(node, answer), "said")


def stands_in(node: str, answer: object) -> StandsAt:
    """Where it stands."""
    told = _object(node, answer)
    digest = told.get("digest")
    if not isinstance(digest, str) or len(digest) > 2 * NAME_SIZE:
        raise _unexpected(node, "digest")
    return StandsAt(_number(node, told, "commit"), digest, _number(node, told, "applied"))


def owed_in(node: str, answer: object) -> int:
    """Of how many files it lacks some content there; 0 of a release that does not say."""
    told = _object(node, answer)
    return _number(node, told, "owed") if "owed" in told else 0


def steps_in(node: str, answer: object) -> dict[str, Any]:
    """How it took over: ``{"steps": [{"name", "ms"}]}``."""
    steps = _listed(node, answer, "steps")
    return {"steps": [{"name": _text(node, one, "name"), "ms": _number(node, one, "ms")} for one in steps]}


def _gate(node: str, told: _Answer) -> dict[str, object]:
    measured, ok = told.get("measured"), told.get("ok")
    if not isinstance(ok, bool) or not (measured is None or isinstance(measured, str)):
        raise _unexpected(node, "gates")
    words = {key: _text(node, told, key) for key in ("name", "value", "limit", "remedy")}
    return {**words, "ok": ok, "measured": shown(measured[:_TEXT]) if measured is not None else None}


def _listed(node: str, answer: object, key: str) -> Sequence[_Answer]:
    found = _object(node, answer).get(key)
    if not isinstance(found, list) or len(found) > _MOST:
        raise _unexpected(node, key)
    return [_object(node, one) for one in found]


def _object(node: str, told: object) -> _Answer:
    if not isinstance(told, dict):
        raise _unexpected(node, "object")
    return told


def _text(node: str, told: _Answer, key: str) -> str:
    found = told.get(key, "")
    if not isinstance(found, str):
        raise _unexpected(node, key)
    return shown(found[:_TEXT])


def _number(node: str, told: _Answer, key: str) -> int:
    found = told.get(key)
    if type(found) is not int or not 0 <= found < _LARGEST:
        raise _unexpected(node, key)
    return found


def _unexpected(node: str, key: str) -> HikaeError:
    reason = f"it is not what this version expects ({key})"
    return HikaeError("understand the answer", node, reason, "compare hikae --version on both nodes")
