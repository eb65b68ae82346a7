"""The record of steps under way: one JSON file, replaced durably before and after each step, gone when all are done."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from agent.core.errors import Damaged
from agent.fs.durable import sync_dir, write_durably

_VERSION = 1

#: What a step leaves for those after it and for who asked: names to JSON values.
Facts: TypeAlias = Mapping[str, Any]  # Any: JSON is a foreign edge


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step that was run. ``ms``: how long it took, from its last beginning; ``result``: in words; ``failed``: that it
    raised."""

    name: str
    ms: int
    result: str
    failed: bool = False

    def as_json(self) -> dict[str, Any]:  # Any: see ``Facts``
        """``{"name", "ms", "result"}``, as an operator's answer has it."""
        return {"name": self.name, "ms": self.ms, "result": self.result}


@dataclass(frozen=True, slots=True)
class StepsRecord:
    """How far a list of steps has come. ``kind`` names the list, ``began`` is ns since 1970, ``arguments`` what it was asked
    with, ``facts`` what its steps learned, ``doing`` the step that was begun and of which it is not known whether it was done."""

    kind: str
    began: int
    arguments: Facts
    facts: Facts = field(default_factory=dict)
    done: tuple[StepDone, ...] = ()
    doing: str | None = None

    @property
    def failed(self) -> StepDone | None:
        """The first step that failed."""
        return next((one for one in self.done if one.failed), None)

    def beginning(self, name: str) -> StepsRecord:
        """The record with a step begun."""
        return replace(self, doing=name)

    def ended(self, step: StepDone, learned: Facts) -> StepsRecord:
        """The record with a step ended and what it learned."""
        return replace(self, doing=None, done=(*self.done, step), facts={**self.facts, **learned})


def read_steps(path: Path) -> StepsRecord | None:
    """The record, None where nothing is under way. Raises ``Damaged`` for one that is torn or of another release, ``OSError``."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _damaged(path) from error
    with suppress(ValueError, KeyError, TypeError):
        if found["version"] == _VERSION:
            return _record(found)
    raise _damaged(path)


def write_steps(path: Path, record: StepsRecord) -> None:
    """Replace the record durably. Raises ``OSError``; the old one stands then."""
    found = {
        "version": _VERSION,
        "kind": record.kind,
        "began": record.began,
        "arguments": dict(record.arguments),
        "facts": dict(record.facts),
        "done": [{**one.as_json(), "failed": one.failed} for one in record.done],
        "doing": record.doing,
    }
    write_durably(str(path), json.dumps(found).encode() + b"\n")


def forget_steps(path: Path) -> None:
    """Nothing is under way any more, durably. Raises ``OSError``."""
    with suppress(FileNotFoundError):
        os.unlink(path)
        sync_dir(str(path.parent))


def _record(found: dict[str, Any]) -> StepsRecord:
    """Raises ``ValueError``, ``KeyError`` or ``TypeError`` for what nobody wrote; fields that are not known are passed over."""
    done = tuple(
        StepDone(str(one["name"]), int(one["ms"]), str(one["result"]), bool(one["failed"])) for one in found["done"]
    )
    kind, doing = found["kind"], found["doing"]
    if not isinstance(kind, str) or not (doing is None or isinstance(doing, str)):
        raise TypeError(found)
    return StepsRecord(kind, int(found["began"]), dict(found["arguments"]), dict(found["facts"]), done, doing)


def _damaged(path: Path) -> Damaged:
    remedy = f"look at what it says was under way, finish that by hand, then: rm {path}"
    return Damaged("read what was under way", str(path), "it is torn, or of another release of hikae", remedy)
