"""What the agent writes to its journal."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from agent.status.event import OPERATOR, Event
from agent.status.events import EventLog
from agent.status.log import configure


@pytest.fixture(autouse=True)
def afterwards() -> Iterator[None]:
    """Logging is as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_records() -> None:
    """Each record is one JSON object with time, level and printable values."""
    out = StringIO()
    configure(json=True, stream=out)
    structlog.get_logger("test").warning("odd name", path=b"a\n\xff\x1b", nested={"k": ["\x07"]}, count=3)
    record = json.loads(out.getvalue())
    assert ("odd name", "warning", "a\\n\\xff\\x1b", {"k": ["\\x07"]}, 3) == tuple(
        record[key] for key in ("event", "level", "path", "nested", "count")
    )
    assert 1 == out.getvalue().count("\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_tracebacks_without_local_variables(as_json: bool) -> None:
    """A traceback names the error; what variables held stays out."""
    out = StringIO()
    configure(json=as_json, stream=out)
    secret = "hun" + "ter2"
    try:
        raise ValueError(len(secret))
    except ValueError:
        structlog.get_logger("test").exception("failed")
    assert "ValueError: 7" in out.getvalue()
    assert "hunter2" not in out.getvalue()


def test_words_on_a_terminal_are_escaped() -> None:
    """A record is one line and moves no cursor."""
    out = StringIO()
    configure(json=False, stream=out)
    structlog.get_logger("test").info("a\nforged", path="\x1b[2J")
    assert (1, False) == (out.getvalue().count("\n"), "\x1b" in out.getvalue())


def test_levels() -> None:
    """What is below the level is not written; an unknown one is refused."""
    out = StringIO()
    configure(json=True, level="warning", stream=out)
    structlog.get_logger("test").info("quiet")
    assert "" == out.getvalue()
    with pytest.raises(ValueError, match="loud"):
        configure(level="loud", stream=out)


def test_foreign_libraries_come_through_once() -> None:
    """The standard library's logging has the same shape, also after a second configure."""
    out = StringIO()
    configure(json=True, stream=out)
    configure(json=True, stream=out)
    logging.getLogger("watchdog").warning("queue \x1boverflow")
    record = json.loads(out.getvalue())
    assert ("queue \\x1boverflow", "warning", "watchdog") == (record["event"], record["level"], record["logger"])


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_who_typed_what_is_written_at_any_level(level: str) -> None:
    """Another event only where its level is."""
    out = StringIO()
    configure(json=True, level=level, stream=out)
    EventLog(None).add(
        "2026-11-22T04:15:00.000000Z", [Event("web", OPERATOR, "root typed: x"), Event("web", "state", "y")]
    )
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    expected = [("root typed: x", "info", "operator"), ("y", "info", "state")]
    assert expected[: 2 if level in ("debug", "info") else 1] == [
        (one["event"], one["level"], one["code"]) for one in records
    ]
