"""``doctor``: this host, looked at for what breaks replication now or a failover later."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from agent.cli.context import DEFAULT_SOCKET, Context
from agent.cli.output import answer_json, json_option
from agent.core.clock import SystemClock
from agent.core.errors import Exit, HikaeError
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.doctor.diagnosis import Diagnosis
    from agent.doctor.examination import Examination

#: Lines are no longer, however wide the terminal: they are read.
_WIDEST = 100


@click.command()
@json_option
@click.pass_obj
def doctor(context: Context, as_json: bool) -> int:
    """Look at this host for what breaks replication now, or a failover later.

    Configuration, certificates, clock, rights, kernel, hooks, units, room, peers, agent: worst first, each with what to type. It
    changes nothing and needs no agent; without root it says what it could not look at. Exit code 1 where something has to be
    done, else 0."""
    from agent.doctor.diagnosis import diagnoses_json
    from agent.doctor.examination import examine

    found = examine(context.config_path, os.path.dirname(_socket(context)), SystemClock())
    if as_json:
        answer_json(diagnoses_json(found.node, found.found))
    else:
        for line in page_lines(found, min(shutil.get_terminal_size().columns, _WIDEST)):
            click.echo(line)
    return Exit.FAILED if found.asks_for_somebody else Exit.DONE


def page_lines(found: Examination, width: int) -> Iterator[str]:
    """The page for people. Pure."""
    for one in found.found:
        yield from _lines(one, width)
    count = found.asks_for_somebody
    here = found.node or "this host"
    if not count:
        yield f"{here}: nothing was found that has to be done"
    else:
        yield f"{here}: {count} thing{'' if count == 1 else 's'} to do, marked !!"


def _lines(one: Diagnosis, width: int) -> Iterator[str]:
    from agent.doctor.diagnosis import Condition
    from agent.status.page.layout import wrapped

    marks = {Condition.ERROR: "!!", Condition.WARNING: "!!", Condition.UNKNOWN: " ?", Condition.INFO: " -"}
    about = f"{one.dataset}: " if one.dataset else ""
    first, *rest = wrapped(shown(f"{about}{one.message}"), width, " " * 18)
    yield f"{marks.get(one.condition, 'ok')} {one.name:14} {first.lstrip()}"
    yield from rest
    if one.remedy:
        first, *rest = wrapped(shown(one.remedy), width, " " * 20)
        yield f"{' ' * 18}> {first.lstrip()}"
        yield from rest


def _socket(context: Context) -> str:
    """Where the agent would be; the usual place where the configuration does not say it."""
    try:
        return context.socket_path
    except HikaeError:
        return DEFAULT_SOCKET
