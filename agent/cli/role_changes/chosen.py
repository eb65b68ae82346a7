"""Commands that change roles take one dataset, those of a group, or all: each by itself, in order, with a result for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, TypeAlias

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, refusal_lines, remark
from agent.core.errors import Exit, HikaeError, NotFound, Refused, UsageError
from agent.operations.declaration import Json
from agent.operations.reading import StatusRequest
from agent.status.text import shown

_Command: TypeAlias = Callable[..., Any]  # Any: click calls commands with what their options say


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which datasets are meant. ``dataset`` and ``group`` are "" where they were not typed; ``every``: ``--all``."""

    dataset: str
    group: str
    every: bool

    @property
    def is_one(self) -> bool:
        """Whether a single dataset was named."""
        return bool(self.dataset)

    def names(self, context: Context, command: str) -> list[str]:
        """The datasets that are meant, in the order of the configuration. Raises ``UsageError`` unless exactly one of the three
        ways of naming them was taken, ``NotFound`` for a group without any."""
        if [bool(self.dataset), bool(self.group), self.every].count(True) != 1:
            reason = "one of DATASET, --group G and --all is needed, and only one"
            raise UsageError(command, self.dataset or self.group, reason, f"hikae {command} DATASET")
        if self.dataset:
            return [self.dataset]
        datasets = context.controls().ask(StatusRequest())["datasets"]
        names = [one["name"] for one in datasets if self.every or one["group"] == self.group]
        if not names:
            groups = ", ".join(sorted({one["group"] for one in datasets if one["group"]})) or "none"
            raise NotFound("find the group", self.group, f"this node knows: {groups}", "see hikae config show")
        return names


@dataclass(frozen=True, slots=True)
class Said:
    """What each of these commands may be told: ``reason`` and ``approved_by`` for the record ("" for none), ``yes``: nobody is
    to be asked, ``dry_run``: nothing is to be done, ``as_json``: one value is to be answered."""

    reason: str
    approved_by: str
    yes: bool
    dry_run: bool
    as_json: bool


def chosen_options(command: _Command) -> _Command:
    """``DATASET``, ``--group G`` and ``--all``, which reach the command as ``which``, a :class:`Chosen`."""
    return _with_options(
        _gathered(Chosen, "which", command),
        click.argument("dataset", default=""),
        click.option("--group", metavar="G", default="", help="The datasets of this group, one after the other."),
        click.option("--all", "every", is_flag=True, help="All datasets of this node, one after the other."),
    )


def said_options(*, dry_run: str) -> Callable[[_Command], _Command]:
    """``--reason``, ``--approved-by`` (``hikae roles`` shows both), ``--yes``, ``--dry-run`` (its help is given) and ``--json``,
    which reach the command as ``said``, a :class:`Said`."""

    def with_them(command: _Command) -> _Command:
        return _with_options(
            _gathered(Said, "said", command),
            click.option("--reason", metavar="TEXT", default="", help="Why, for the record."),
            click.option("--approved-by", metavar="NAME", default="", help="Who allowed it, for the record."),
            click.option("--yes", is_flag=True, help="Do not ask."),
            click.option("--dry-run", is_flag=True, help=dry_run),
            json_option,
        )

    return with_them


def _with_options(command: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    """With these options, in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def _gathered(value: type[Chosen | Said], name: str, command: _Command) -> _Command:
    """``command``, called with the options that are fields of ``value`` as one argument."""

    @wraps(command)
    def called(*args: object, **options: Any) -> object:
        one = value(**{field.name: options.pop(field.name) for field in fields(value)})
        result: object = command(*args, **options, **{name: one})
        return result

    return called


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
