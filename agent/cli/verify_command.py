"""``verify``: the standby beside its commit."""

from __future__ import annotations

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, commit_text, json_option, progress_shown, remark, say
from agent.core.errors import Exit
from agent.operations.declaration import Json
from agent.operations.verifying import VerifyRequest
from agent.status.figures import size_text

_DIFFERENCES_SHOWN = 50


@click.command()
@click.argument("dataset")
@click.option("--deep", is_flag=True, help="Read every byte, not only metadata.")
@click.option("--repair", is_flag=True, help="Make what differs as it should be.")
@json_option
@click.pass_obj
def verify(context: Context, dataset: str, deep: bool, repair: bool, as_json: bool) -> int:
    """Compare the standby here with what it should be.

    Applying goes on meanwhile; the answer is about what stands at the end.

    With --repair the standby is made so: what is not hikae's is moved to .hikae/displaced, and what the vault lost is put
    back from the standby or the primary. Exit code 1 when anything differs, with --repair when anything is left."""
    with progress_shown(f"verifying {dataset}", not as_json) as progress:
        result = context.controls().ask(VerifyRequest(dataset, deep, repair), progress)
    if as_json:
        answer_json(result)
    else:
        _say_verify(dataset, result)
    return Exit.DONE if result["equal"] else Exit.FAILED


def _say_verify(dataset: str, result: Json) -> None:
    checked = f"{result['checked_entries']:,} entries, {_looked_at(result)}"
    if result["repaired"]:
        say(f"{dataset}: {result['repaired']:,} repaired")
    owed = result.get("owed", 0)
    if result["equal"]:
        but = f" but for {owed:,} files that are owed" if owed > 1 else " but for 1 file that is owed" if owed else ""
        say(f"{dataset}: equal to commit {commit_text(result)}{but} ({checked})")
        _say_rest(result)
        return
    differences = result["differences"]
    count = "1 difference" if len(differences) == 1 else f"{len(differences):,} differences"
    say(f"{dataset}: {count} from commit {commit_text(result)} ({checked})")
    for difference in differences[:_DIFFERENCES_SHOWN]:
        say(f"  {_difference(difference)}")
    if len(differences) > _DIFFERENCES_SHOWN:
        remark(f"  and {len(differences) - _DIFFERENCES_SHOWN:,} more: --json lists all")
    _say_rest(result)


def _say_rest(result: Json) -> None:
    """What was not compared: commits that are not applied, what is owed, and what changed all the time."""
    newest = commit_text({"commit": result.get("newest")})
    if newest not in ("0", commit_text(result)):
        remark(f"  commit {newest} is received and not applied: hikae status says why")
    for path in result.get("owed_paths", ())[:_DIFFERENCES_SHOWN]:
        say(f"  {path}: owed; the primary could not read it, and its last version stands here, or nothing")
    for path in result.get("changing", ())[:_DIFFERENCES_SHOWN]:
        say(
            f"  {path}: its content was not compared, since it is written faster than it can be read; pause the apply to do so"
        )


def _looked_at(result: Json) -> str:
    read = result["checked_bytes"]
    if not result.get("deep") and read:
        return f"{size_text(read)} read; --deep reads from the disk, past what is in memory"  # a device has nothing but content
    if not result.get("deep"):
        return "names and metadata only; --deep compares the content too"
    return f"{size_text(read)} read"


def _difference(value: object) -> str:
    if isinstance(value, dict):
        path, what = value.get("path", ""), value.get("what", "")
        return f"{path}: {what}" if path else str(what)
    return str(value)
