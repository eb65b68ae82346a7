"""Commands on one dataset of the running agent."""

from __future__ import annotations

import click

from agent.cli.asking import Question, is_meant, why_not_accept
from agent.cli.context import Context
from agent.cli.output import Duration, answer_json, json_option, progress_shown, remark, say
from agent.core.errors import Exit
from agent.operations.declaration import Activity, Json, Reached
from agent.operations.holding import AcceptRequest
from agent.operations.pausing import PauseRequest, ResumeRequest
from agent.operations.verifying import VerifyRequest
from agent.operations.waiting import ReconcileRequest, WaitRequest
from agent.status.figures import clock_text, size_text, span_text, stamp

_DIFFERENCES_SHOWN = 50


@click.command()
@click.argument("dataset")
@click.option("--durable", "level", flag_value="durable", default="durable", help="Stored there for good (default).")
@click.option("--applied", "level", flag_value="applied", help="Also visible in the standby.")
@click.option("--timeout", type=Duration(), metavar="S", help="Give up after so long (exit code 75).")
@json_option
@click.pass_obj
def wait(context: Context, dataset: str, level: Reached, timeout: float | None, as_json: bool) -> None:
    """Wait until all that was written before now is on the standbys.

    It covers what system calls wrote through names in the tree. No event tells of stores to mapped memory, of chattr, and of
    writes through a file that is mounted elsewhere by itself: run `hikae reconcile` first where these matter.

    It waits for a start, says what it waits for, and ends by itself where only a person can end that."""
    with progress_shown(f"waiting for {dataset}", not as_json) as progress:
        result = context.controls().ask(WaitRequest(dataset, level, timeout), progress)
    if as_json:
        answer_json(result)
    else:
        say(f"{dataset}: commit {_commit(result)} is {level} on every standby ({span_text(result['seconds'])})")


@click.command()
@click.argument("dataset")
@click.option("--deep", is_flag=True, help="Read every byte, not only metadata.")
@click.option("--repair", is_flag=True, help="Make what differs as it should be.")
@json_option
@click.pass_obj
def verify(context: Context, dataset: str, deep: bool, repair: bool, as_json: bool) -> int:
    """Compare the standby here with what it should be.

    With --repair the standby is made so: what is not hikae's is moved to .hikae/displaced, and what the vault lost is put
    back from the standby or the primary. Exit code 1 when anything differs, with --repair when anything is left."""
    with progress_shown(f"verifying {dataset}", not as_json) as progress:
        result = context.controls().ask(VerifyRequest(dataset, deep, repair), progress)
    if as_json:
        answer_json(result)
    else:
        _say_verify(dataset, result)
    return Exit.DONE if result["equal"] else Exit.FAILED


@click.command()
@click.argument("dataset")
@json_option
@click.pass_obj
def reconcile(context: Context, dataset: str, as_json: bool) -> None:
    """Look at the whole source now.

    Ends when all that was found is committed here; `hikae wait` then tells when it is on the standbys."""
    with progress_shown(f"looking at {dataset}", not as_json) as progress:
        result = context.controls().ask(ReconcileRequest(dataset), progress)
    if as_json:
        answer_json(result)
    else:
        found = f", {result['found']:,} found" if isinstance(result.get("found"), int) else ""
        say(f"{dataset}: looked at everything up to commit {_commit(result)}{found}")


def _what(send: bool, apply: bool) -> Activity:
    if send == apply:
        return "both"
    return "send" if send else "apply"


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


@click.command()
@click.argument("dataset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what is held.")
@json_option
@click.pass_obj
def accept(context: Context, dataset: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Go on although a hold stands.

    What the hold kept from the standby is then done to it, deletions included. On a primary that is rewound or fenced a higher
    epoch begins from what stands here; what that gives up is said first."""
    text = f"Go on and apply this to the standby of {dataset}?"
    question = Question("accept", "it changes the standby", text, why_not_accept)
    if not is_meant(context, dataset, question, yes, dry_run, as_json):
        return
    result = context.controls().ask(AcceptRequest(dataset))
    if as_json:
        answer_json(result)
    else:
        say(f"{dataset}: accepted, going on")


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


def _say_verify(dataset: str, result: Json) -> None:
    checked = f"{result['checked_entries']:,} entries, {_looked_at(result)}"
    if result["repaired"]:
        say(f"{dataset}: {result['repaired']:,} repaired")
    owed = result.get("owed", 0)
    if result["equal"]:
        but = f" but for {owed:,} files that are owed" if owed > 1 else " but for 1 file that is owed" if owed else ""
        say(f"{dataset}: equal to commit {_commit(result)}{but} ({checked})")
        _say_rest(result)
        return
    differences = result["differences"]
    say(f"{dataset}: {len(differences):,} differences from commit {_commit(result)} ({checked})")
    for difference in differences[:_DIFFERENCES_SHOWN]:
        say(f"  {_difference(difference)}")
    if len(differences) > _DIFFERENCES_SHOWN:
        remark(f"  and {len(differences) - _DIFFERENCES_SHOWN:,} more: --json lists all")
    _say_rest(result)


def _say_rest(result: Json) -> None:
    """What was not compared: commits that are not applied, and what is owed."""
    newest = _commit({"commit": result.get("newest")})
    if newest not in ("0", _commit(result)):
        remark(f"  commit {newest} is received and not applied: hikae status says why")
    for path in result.get("owed_paths", ())[:_DIFFERENCES_SHOWN]:
        say(f"  {path}: owed; the primary could not read it, and its last version stands here, or nothing")


def _looked_at(result: Json) -> str:
    if not result.get("deep"):
        return "names and metadata only; --deep compares the content too"
    return f"{size_text(result['checked_bytes'])} read"


def _difference(value: object) -> str:
    if isinstance(value, dict):
        path, what = value.get("path", ""), value.get("what", "")
        return f"{path}: {what}" if path else str(what)
    return str(value)


def _commit(result: Json) -> str:
    commit = result.get("commit")
    return f"{commit['epoch']}.{commit['seq']}" if commit else "0"
