"""``pause`` and ``resume``."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import Duration, answer_json, json_option, say
from agent.operations.declaration import Activity, Json
from agent.operations.pausing import PauseRequest, ResumeRequest
from agent.status.figures import clock_text, stamp


@click.command()
@click.argument("dataset")
@click.option("--send", is_flag=True, help="Stop sending from here.")
@click.option("--apply", "apply_", is_flag=True, help="Stop changing the standby here; receiving goes on.")
@click.option("--for", "seconds", type=Duration(), metavar="2h", help="Resume by itself after so long.")
@json_option
@click.pass_obj
def pause(context: Context, dataset: str, send: bool, apply_: bool, seconds: float | None, as_json: bool) -> None:
    """Stop sending or applying for a while.

    Both, when neither --send nor --apply is given. Nothing is lost meanwhile: it waits."""
    result = context.controls().ask(PauseRequest(dataset, _what(send, apply_), seconds))
    _answer_pause(dataset, result, as_json)


@click.command()
@click.argument("dataset")
@click.option("--send", is_flag=True, help="Send again.")
@click.option("--apply", "apply_", is_flag=True, help="Apply again.")
@json_option
@click.pass_obj
def resume(context: Context, dataset: str, send: bool, apply_: bool, as_json: bool) -> None:
    """End a pause."""
    result = context.controls().ask(ResumeRequest(dataset, _what(send, apply_)))
    _answer_pause(dataset, result, as_json)


def _what(send: bool, apply: bool) -> Activity:
    if send == apply:
        return "both"
    return "send" if send else "apply"


def _answer_pause(dataset: str, result: Json, as_json: bool) -> None:
    if as_json:
        answer_json(result)
        return
    paused = result.get("paused") or {}
    now = stamp(_now_ns()) or ""
    parts = [f"{what} until {clock_text(until, now)}" if until else what for what, until in paused.items()]
    say(f"{dataset}: paused: {', '.join(parts)}" if parts else f"{dataset}: nothing is paused")


def _now_ns() -> int:
    from agent.core.clock import SystemClock

    return SystemClock().now_ns()
