"""``pause`` and ``resume``."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import Duration, answer_json, json_option, say
from agent.operations.declaration import Activity, Json
from agent.operations.pausing import PauseRequest, ResumeRequest
from agent.status.figures import clock_text, size_text, stamp
from agent.status.text import shown


@click.command()
@click.argument("dataset")
@click.option("--send", is_flag=True, help="Stop sending from here.")
@click.option("--apply", "apply_", is_flag=True, help="Stop changing the standby here; receiving goes on.")
@click.option(
    "--for", "seconds", type=Duration(some=True, asks_unit=True), metavar="2h", help="Resume by itself after so long."
)
@json_option
@click.pass_obj
def pause(context: Context, dataset: str, send: bool, apply_: bool, seconds: float | None, as_json: bool) -> None:
    """Stop sending or applying for a while.

    What this node does, when neither --send nor --apply is given: a primary sends, a standby applies. Nothing is lost
    meanwhile: it waits."""
    result = context.controls().ask(PauseRequest(dataset, _what(send, apply_), seconds))
    _answer_pause(dataset, result, as_json)


@click.command()
@click.argument("dataset")
@click.option("--send", is_flag=True, help="Send again.")
@click.option("--apply", "apply_", is_flag=True, help="Apply again.")
@json_option
@click.pass_obj
def resume(context: Context, dataset: str, send: bool, apply_: bool, as_json: bool) -> None:
    """End a pause.

    It says which: since when, typed by whom, and what waited for its end; and what is held all the same."""
    result = context.controls().ask(ResumeRequest(dataset, _what(send, apply_)))
    if as_json or not result.get("ended"):
        _answer_pause(dataset, result, as_json)
    else:
        for pause in result["ended"]:
            say(f"{dataset}: {_over(pause)}")
        say(f"  {_waited(dataset, result)}")
    for pause in result.get("elsewhere") or ():
        if not as_json:
            what = _ACTIVITIES.get(pause["what"], pause["what"])
            say(
                f"  {shown(what)} is paused on {pause['node']}, which ends there: on {pause['node']}: hikae resume {dataset}"
            )
    if result.get("held") and not as_json:
        say(f"  it is held, which resume does not end: {shown(result['held'])}")


_ACTIVITIES = {"send": "sending", "apply": "applying"}


def _over(pause: Json) -> str:
    """``applying goes on; it was paused on beta since 13:05, until 15:05, by root (uid 0)``."""
    now = stamp(_now_ns()) or ""
    until = f"until {clock_text(pause['until'], now)}" if pause["until"] else "until somebody resumes it"
    by = f", by {pause['by']}" if pause["by"] else ""
    what = _ACTIVITIES.get(pause["what"], pause["what"])
    return f"{what} goes on; it was paused on {pause['node']} since {clock_text(pause['since'], now)}, {until}{by}"


def _waited(dataset: str, result: Json) -> str:
    """What the end of the pause was waited for by."""
    watch = f"hikae status {dataset} --watch shows how far it is and how long it takes"
    if result["behind_bytes"]:
        return f"{size_text(result['behind_bytes'])} are to be sent: {watch}"
    if result["behind_commits"] != 0:
        if result["behind_commits"] == 1:
            return f"1 commit is to be applied: {watch}"
        count = "" if result["behind_commits"] is None else f"{result['behind_commits']:,} "
        return f"{count}commits are to be applied: {watch}"
    return "nothing waited for it"


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
