"""Commands that change roles take one dataset, those of a group, or all: each by itself, in order, with a result for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, refusal_lines, remark
from agent.core.errors import Exit, HikaeError, NotFound, Refused, UsageError
from agent.operations.declaration import Json
from agent.operations.reading import StatusRequest
from agent.status.text import shown

_Command = TypeVar("_Command", bound=Callable[..., Any])  # Any: click calls commands with what their options say


def chosen_options(command: _Command) -> _Command:
    """``DATASET``, ``--group G`` and ``--all``: see :func:`chosen`."""
    for option in (
        click.option("--all", "every", is_flag=True, help="All datasets of this node, one after the other."),
        click.option("--group", metavar="G", default="", help="The datasets of this group, one after the other."),
        click.argument("dataset", default=""),
    ):
        command = option(command)
    return command


def reason_options(command: _Command) -> _Command:
    """``--reason TEXT`` and ``--approved-by NAME``, which ``hikae roles`` shows."""
    for option in (
        click.option("--approved-by", metavar="NAME", default="", help="Who allowed it, for the record."),
        click.option("--reason", metavar="TEXT", default="", help="Why, for the record."),
    ):
        command = option(command)
    return command


def chosen(context: Context, command: str, dataset: str, group: str, every: bool) -> list[str]:
    """The datasets that are meant, in the order of the configuration. Raises ``UsageError`` unless exactly one of the three ways
    of naming them was taken, ``NotFound`` for a group without any."""
    if [bool(dataset), bool(group), every].count(True) != 1:
        reason = "one of DATASET, --group G and --all is needed, and only one"
        raise UsageError(command, dataset or group, reason, f"hikae {command} DATASET")
    if dataset:
        return [dataset]
    datasets = context.controls().ask(StatusRequest())["datasets"]
    names = [one["name"] for one in datasets if every or one["group"] == group]
    if not names:
        groups = ", ".join(sorted({one["group"] for one in datasets if one["group"]})) or "none"
        raise NotFound("find the group", group, f"this node knows: {groups}", "see hikae config show")
    return names


def each_of(names: list[str], do: Callable[[str], Json | None], *, one: bool, as_json: bool) -> int:
    """``do`` for each; the worst exit code. ``one``: a single dataset was named, whose failure is raised and whose answer stands
    alone; else a failure is said, the others go on, and ``--json`` answers with an array in which a failed one has ``error``."""
    if one:
        answer = do(names[0])
        if as_json and answer is not None:
            answer_json(answer)
        return Exit.DONE
    answers, worst = [], int(Exit.DONE)
    for name in names:
        try:
            answers.append(do(name))
        except HikaeError as error:
            remark(f"{name}: {shown(str(error))}")
            for line in refusal_lines(error):
                remark(f"  {line}")
            gates = list(error.gates) if isinstance(error, Refused) else []
            answers.append({"dataset": name, "error": str(error), "exit": int(error.exit_code), "gates": gates})
            worst = max(worst, int(error.exit_code))
    if as_json:
        answer_json([one for one in answers if one is not None])
    return worst


def confirm(context: Context, operation: str, dataset: str, danger: str, question: str) -> None:
    """Ask whoever sits there. Raises ``Refused`` when nobody can be asked, or it is not meant."""
    if not context.person.can_be_asked():
        raise Refused(operation, dataset, f"{danger} and nobody can be asked here", "add --yes if it is meant")
    if not context.person.agrees(shown(question)):
        raise Refused(operation, dataset, "not confirmed", "nothing was changed")
