"""How the agent speaks: structured records to stderr, JSON for the journal, words on a terminal.

Values are escaped (``text.shown``), and tracebacks come without local variables: those hold keys and file content."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from agent.status.text import shown, shown_lines

_KEEPS_LINES = ("exception", "stack")


def configure(json: bool | None = None, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for this process.

    ``json``: None chooses words on a terminal and JSON elsewhere; ``level``: a name such as "debug"; ``stream``: stderr
    unless a test wants it elsewhere (loggers are then not cached). Raises ``ValueError`` for an unknown level."""
    target = stream if stream is not None else sys.stderr
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"no log level is called {shown(level)}")
    as_json = json if json is not None else not target.isatty()
    shared = _shared()
    finish = _finish(as_json, target.isatty())
    structlog.configure(
        processors=[*shared, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=stream is None,
    )
    _configure_standard(shared, finish, target, number)


def whatever_the_level(name: str) -> Any:  # Any: as structlog has its loggers
    """A logger whose records are written at any level that was chosen."""
    every = structlog.make_filtering_bound_logger(logging.NOTSET)
    return structlog.wrap_logger(
        None, wrapper_class=every, cache_logger_on_first_use=False, logger_factory_args=(name,)
    )


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _finish(as_json: bool, colours: bool) -> list[Processor]:
    """Escape, then render; ``ExceptionRenderer`` formats tracebacks as Python does, so without locals."""
    before: list[Processor] = [structlog.processors.ExceptionRenderer(), escape]
    if as_json:
        return [*before, structlog.processors.JSONRenderer(default=_foreign)]
    plain = structlog.dev.plain_traceback
    return [*before, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain, pad_event_to=0)]


def escape(_logger: WrappedLogger, _method: str, record: EventDict) -> EventDict:
    """The processor that makes every value of a record printable."""
    return {shown(key): _escaped(value, key in _KEEPS_LINES) for key, value in record.items()}


def _escaped(value: Any, lines: bool = False) -> Any:  # Any: callers may log whatever they have
    if isinstance(value, str):
        return shown_lines(value) if lines else shown(value)
    if isinstance(value, bytes):
        return shown(value)
    if isinstance(value, dict):
        return {shown(str(key)): _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_escaped(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return shown(str(value))


def _foreign(value: object) -> str:
    return shown(str(value))


class _Through(logging.Handler):
    """Gives the records of foreign libraries the same shape."""

    def __init__(self, render: Callable[[str, EventDict], str], target: TextIO) -> None:
        super().__init__()
        self._render = render
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        values: EventDict = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            values["exc_info"] = record.exc_info
        try:
            self._target.write(self._render(record.levelname.lower(), values) + "\n")
            self._target.flush()
        except (OSError, ValueError):
            self.handleError(record)


def _configure_standard(shared: list[Processor], finish: list[Processor], target: TextIO, number: int) -> None:
    def render(level: str, values: EventDict) -> str:
        record: Any = values  # Any: each processor may return what the next one takes
        for processor in (*shared, *finish):
            record = processor(None, level, record)
        return str(record)

    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Through)]:
        root.removeHandler(handler)
    root.addHandler(_Through(render, target))
    root.setLevel(max(number, logging.WARNING))
