"""Answers to stdout, words to stderr, progress on a terminal only."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from agent.core.clock import LONGEST_DURATION
from agent.core.errors import HikaeError, Refused
from agent.core.ids import commit_number, shown_commit
from agent.operations.declaration import Json, Progress
from agent.status.text import shown

_Command = TypeVar("_Command", bound=Callable[..., Any])  # Any: click calls commands with what their options say
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|min|m|s|h|d|w)")
#: Before so many seconds a pace says nothing.
_ESTIMATED_AFTER = 1.0
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def json_option(command: _Command) -> _Command:
    """Every reading command has it."""
    return click.option("--json", "as_json", is_flag=True, help="Answer with one JSON value.")(command)


def answer_json(value: object) -> None:
    """One JSON value on one line of stdout."""
    click.echo(json.dumps(value))


def say(words: str) -> None:
    """An answer for people, printable whatever is in it."""
    click.echo(shown(words))


def remark(words: str) -> None:
    """A word aside, to stderr."""
    click.echo(shown(words), err=True)


def refusal_lines(error: HikaeError) -> Iterator[str]:
    """A line for each gate of a refusal: met or not, what was found, and what leads on."""
    for gate in error.gates if isinstance(error, Refused) else ():
        mark = "✓" if gate.get("ok") else "✗"
        remedy = f": {gate['remedy']}" if gate.get("remedy") and not gate.get("ok") else ""
        yield shown(f"{mark} {gate.get('name')} {gate.get('value')}{remedy}")


class Duration(click.ParamType[float]):
    """``2h``, ``90s``, ``1h30m``, or plain seconds. ``some``: nothing at all is refused; ``asks_unit``: a bare number may be
    meant otherwise, so it is said what it was taken for."""

    name = "duration"

    def __init__(self, *, some: bool = False, asks_unit: bool = False) -> None:
        self._some = some
        self._asks_unit = asks_unit

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).replace(" ", "")
        seconds = _seconds(text)
        if not 0 <= seconds < float("inf"):
            self.fail(f"{shown(text)!r} is no duration; write it like 2h, 30m or 1h30m", param, ctx)
        if seconds > LONGEST_DURATION:
            self.fail(f"{shown(text)!r} is too long; the longest is {LONGEST_DURATION // 86_400}d", param, ctx)
        if self._some and not seconds:
            self.fail(f"{shown(text)!r} is no time at all; write it like 2h, 30m or 1h30m", param, ctx)
        if self._asks_unit and not _PART.search(text):
            remark(f"{shown(text)} is taken as {seconds:g} s; a unit says otherwise: {shown(text)}m, {shown(text)}h")
        return seconds


def _seconds(text: str) -> float:
    """What a duration stands for; -1 for what is none."""
    try:
        return float(text)
    except ValueError:
        parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return -1.0
    return sum(float(number) * _UNIT[unit] for number, unit in parts)


@contextmanager
def progress_shown(words: str, wanted: bool = True) -> Iterator[Progress]:
    """A progress bar on stderr while a call runs, when stderr is a terminal and it is ``wanted``; else nothing."""
    if wanted and sys.stderr.isatty():
        with progress_bar(words) as show:
            yield show
    else:
        yield lambda _: None


@contextmanager
def progress_bar(words: str) -> Iterator[Progress]:
    """A progress bar on stderr while a call runs."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task, estimate = bar.add_task(shown(words), total=None, figures=""), Estimate()

        def show(value: Json) -> None:
            total, done, figures = _measure({**value, "eta_seconds": estimate.of(value, time.monotonic())})
            bar.update(task, total=total, completed=done, figures=figures)

        yield show


class Estimate:
    """How long a call still takes, from how far it came since it was first heard of; of each phase anew."""

    def __init__(self) -> None:
        self._phase: object = None
        self._began, self._had = 0.0, 0

    def of(self, value: Json, now: float) -> float | None:
        """Seconds, as the agent says it or else at the pace so far; None while that is not known. ``now``: seconds that never
        fall."""
        if value.get("eta_seconds") is not None:
            return float(value["eta_seconds"])
        unit = "entries" if value.get("total_entries") else "bytes"
        total, done = value.get(f"total_{unit}"), value.get(f"done_{unit}") or 0
        if value.get("phase") != self._phase or done < self._had:
            self._phase, self._began, self._had = value.get("phase"), now, done
        passed, came = now - self._began, done - self._had
        if not total or came <= 0 or passed < _ESTIMATED_AFTER or done > total:
            return None
        return float(passed * (total - done) / came)


def _measure(value: Json) -> tuple[float | None, float, str]:
    """Total (None: unknown), done, and the figures beside the bar."""
    from agent.status.sentences import sync_text

    keys = ("done_bytes", "total_bytes", "done_entries", "total_entries", "eta_seconds")
    whole = {key: value.get(key) for key in keys}
    whole["done_bytes"], whole["done_entries"] = whole["done_bytes"] or 0, whole["done_entries"] or 0
    unit = "bytes" if whole["total_bytes"] else "entries"
    nothing = not whole["done_bytes"] and not whole["done_entries"]
    phase = shown(str(value.get("phase") or ""))
    waits = f"waits: {shown(str(value['waits_for']))}" if value.get("waits_for") else ""
    words = " ".join(part for part in (phase, waits if nothing else sync_text(whole)) if part)
    total, done = whole[f"total_{unit}"], whole[f"done_{unit}"]
    return float(total) if total else None, float(done or 0), words


def commit_text(result: Json) -> str:
    """The commit that an answer names, as people write it."""
    commit = result.get("commit")
    return shown_commit(commit_number(commit["epoch"], commit["seq"])) if commit else "0"
