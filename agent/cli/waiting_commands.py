"""``wait`` and ``reconcile``: until all that was written before is on the standbys, or was looked at."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import Duration, answer_json, commit_text, json_option, progress_shown, remark, say
from agent.operations.declaration import Reached
from agent.operations.waiting import ReconcileRequest, WaitRequest
from agent.status.figures import span_text


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
        say(f"{dataset}: commit {commit_text(result)} is {level} on every standby ({span_text(result['seconds'])})")
        if result.get("owed"):
            remark(
                f"but for content of {result['owed']:,} files, which has not come: hikae status {dataset} says of which"
            )


@click.command()
@click.argument("dataset")
@click.option("--checksum", is_flag=True, help="Read every file and compare it, whatever its times say (as rsync -c).")
@json_option
@click.pass_obj
def reconcile(context: Context, dataset: str, checksum: bool, as_json: bool) -> None:
    """Look at the whole source now.

    Ends when all that was found is committed here; `hikae wait` then tells when it is on the standbys. A file that has the
    times and the size of before is not read, but with --checksum: where a power cut, a disk or a program may have left other
    content with them."""
    with progress_shown(f"looking at {dataset}", not as_json) as progress:
        result = context.controls().ask(ReconcileRequest(dataset, checksum), progress)
    if as_json:
        answer_json(result)
    else:
        found = f", {result['found']:,} found" if isinstance(result.get("found"), int) else ""
        say(f"{dataset}: looked at everything up to commit {commit_text(result)}{found}")
