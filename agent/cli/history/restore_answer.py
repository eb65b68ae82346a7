"""What ``restore`` answers: for people, and as JSON."""

from __future__ import annotations

from agent.cli.history.restore_sources import Sought, Typed
from agent.cli.output import answer_json, remark, say
from agent.core.ids import epoch_of, seq_of
from agent.generations.restore.gates import NeededRoom
from agent.generations.restore.results import Done
from agent.operations.declaration import Json
from agent.status.figures import size_text, stamp

_SHOWN = 50


def answer_dry(typed: Typed, found: Sought, need: NeededRoom, to: str) -> None:
    """What would be restored."""
    if typed.as_json:
        answer_json(_json(found, need.entries, need.size, 0, 0) | {"target": to})
        return
    say(f"{typed.dataset}: {need.entries:,} entries, {size_text(need.size)}, would be restored to {to}")


def answer_restored(typed: Typed, found: Sought, done: Done, to: str) -> None:
    """What was, and what was not."""
    if typed.as_json:
        answer_json(_json(found, done.entries, done.size, done.written, done.verified) | _told(done, to))
        return
    but = "" if done.is_whole else f", but for {done.unmade_count + done.owed_count:,} that follow"
    say(f"{typed.dataset}: restored to {to}: {done.entries:,} entries, {size_text(done.size)}{but}")
    say(
        f"  {size_text(done.written)} written; every chunk was read and its name computed anew: {size_text(done.verified)}"
    )
    if done.displaced:
        say(f"  {done.displaced:,} entries were in the way and are now in {to}/.hikae/displaced")
    for one in done.unmade[:_SHOWN]:
        chunk = f" (chunk {one.chunk})" if one.chunk else ""
        say(f"  {one.path.decode('utf-8', 'backslashreplace')}: {one.reason}{chunk}")
    for path in done.owed[:_SHOWN]:
        say(f"  {path.decode('utf-8', 'backslashreplace')}: its content never came, as the primary could not read it")
    left = done.unmade_count + done.owed_count - min(len(done.unmade), _SHOWN) - min(len(done.owed), _SHOWN)
    if left:
        remark(f"  and {left:,} more: --json lists more of them")


def _json(found: Sought, entries: int, size: int, written: int, verified: int) -> Json:
    moment = found.moment
    answer: Json = {"moment": moment.name or stamp(moment.time), "time": stamp(moment.time), "label": moment.label}
    answer |= {
        "dataset": found.dataset.name,
        "commit": {"epoch": epoch_of(moment.number), "seq": seq_of(moment.number)},
    }
    return answer | {"entries": entries, "bytes": size, "written_bytes": written, "verified": verified}


def _told(done: Done, to: str) -> Json:
    def text(path: bytes) -> str:
        return path.decode("utf-8", "backslashreplace")

    unmade = [{"path": text(one.path), "reason": one.reason, "chunk": one.chunk or None} for one in done.unmade]
    owed = [text(path) for path in done.owed]
    counts: Json = {"displaced": done.displaced, "unmade_count": done.unmade_count, "incomplete_count": done.owed_count}
    return {"target": to, "unmade": unmade, "incomplete": owed} | counts
