"""``hikae check``: one line and a code for monitoring systems (the Nagios plug-in convention)."""

from __future__ import annotations

from enum import IntEnum

from agent.status.published import Json
from agent.status.sentences import detail, lag_seconds, problem_text, said_now, sorted_datasets
from agent.status.state import Grade, State, grade_of
from agent.status.text import shown


class Plugin(IntEnum):
    """The codes that monitoring systems know."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def check_line(status: Json) -> tuple[str, int]:
    """The line, with lags as performance data, and its code. Without datasets the answer is UNKNOWN."""
    datasets = sorted_datasets(status)
    if not datasets:
        return unknown_line("no datasets are configured")
    code = max([_code(dataset) for dataset in datasets] + [_problem_code(status)])
    words = [f"{one['name']} {one['state']}" + _why(status, one) for one in datasets if _code(one) is not Plugin.OK]
    if _problem_code(status) is not Plugin.OK:
        words.insert(0, problem_text(status))
    if not words:
        count = len(datasets)
        words = [f"{count} dataset{'' if count == 1 else 's'}: {', '.join(one['name'] for one in datasets)}"]
    return f"HIKAE {code.name} - {_text('; '.join(words))}{_performance(datasets)}", int(code)


def unknown_line(reason: str) -> tuple[str, int]:
    """The answer when nothing can be said."""
    return f"HIKAE {Plugin.UNKNOWN.name} - {_text(reason)}", int(Plugin.UNKNOWN)


def _text(words: str) -> str:
    """Printable, and without the sign behind which monitoring systems read figures: names of files, and peers, may hold any."""
    return shown(words).replace("|", "\\x7c")


def _code(dataset: Json) -> Plugin:
    grade = grade_of(State(dataset["state"]))
    by_state = {Grade.GOOD: Plugin.OK, Grade.WATCH: Plugin.WARNING, Grade.BAD: Plugin.CRITICAL}[grade]
    return max(by_state, _problem_code(dataset))


def _problem_code(holder: Json) -> Plugin:
    severities = {problem["severity"] for problem in holder["problems"]}
    said = said_now(holder)
    if "error" in severities or any(peer["errors"] for peer in said):
        return Plugin.CRITICAL
    return Plugin.WARNING if "warning" in severities or any(peer["warnings"] for peer in said) else Plugin.OK


def _why(status: Json, dataset: Json) -> str:
    words = detail(status, dataset)
    return f" ({words})" if words else ""


def _performance(datasets: list[Json]) -> str:
    figures = []
    for dataset in datasets:
        lag = lag_seconds(dataset)
        if lag is not None:
            figures.append(f"{dataset['name']}_lag={lag:.3f}s")
    return f" | {' '.join(sorted(figures))}" if figures else ""
