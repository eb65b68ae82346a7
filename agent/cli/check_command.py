"""``check``: one line and a code for monitoring systems."""

from __future__ import annotations

import os

import click

from agent.cli.context import Context
from agent.cli.output import Duration, answer_json, json_option
from agent.core.errors import HikaeError, Unreachable
from agent.operations.declaration import Json
from agent.status.check import LagLimits, check_line, dead_line, unknown_line
from agent.status.reading import read_state, understood


@click.command()
@click.argument("dataset", required=False)
@click.option("-w", "--warning", type=Duration(), metavar="LAG", help="WARNING from this lag on: 30s, 5m.")
@click.option("-c", "--critical", type=Duration(), metavar="LAG", help="CRITICAL from this lag on.")
@json_option
@click.pass_obj
def check(context: Context, dataset: str | None, warning: float | None, critical: float | None, as_json: bool) -> int:
    """One line and a code for monitoring systems, of all datasets or of one.

    OK 0, WARNING 1, CRITICAL 2, UNKNOWN 3 (also for a wrong call): the convention of Nagios plug-ins. It reads what the agent
    publishes, so it answers also when the agent hangs, and needs no root: others see counts, the group hikae also paths."""
    try:
        limits = LagLimits(warning, critical)
        line, code = understood(
            lambda value: check_line(value, dataset, limits), _published(context), context.socket_path
        )
    except Unreachable as error:
        line, code = dead_line(str(error))
    except HikaeError as error:
        line, code = unknown_line(str(error))
    if as_json:
        answer_json({"code": code, "line": line})
    else:
        click.echo(line)
    return code


def _published(context: Context) -> Json:
    return read_state(os.path.dirname(context.socket_path))
