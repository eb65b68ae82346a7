"""What ``restore`` answers: for people, and as JSON."""

from __future__ import annotations

from agent.cli.history.kept_before import KeptInPlace
from agent.cli.history.restore_sources import Sought, Typed
from agent.cli.output import remark, say
from agent.core.ids import epoch_of, seq_of
from agent.generations.restore.results import Done
from agent.generations.restore.room import NeededRoom
from agent.operations.declaration import Json
from agent.status.figures import size_text, stamp

_SHOWN = 50


def answer_dry(typed: Typed, found: Sought, need: NeededRoom, to: str, length: int | None = None) -> None:
    """What would be restored. ``length``: of a device, in bytes; None for a tree."""
    if typed.as_json:
        typed.answer(_json(found, need.entries, need.size, 0, 0) | {"target": to} | _length_json(length))
        return
    what = f"{need.entries:,} entries, {size_text(need.size)}," if length is None else _device_words(length, need.size)
    say(f"{typed.dataset}: {what} would be restored to {to}")


def answer_restored(
    typed: Typed, found: Sought, done: Done, to: str, length: int | None = None, kept: KeptInPlace | None = None
) -> None:
    """What was, and what was not. ``length``: of a device, in bytes; None for a tree; ``kept``: what keeps what stood; None where
    nothing was written over."""
    if typed.as_json:
        answer = _json(found, done.entries, done.size, done.written, done.verified)
        typed.answer(answer | _told(done, to) | _length_json(length) | _kept_json(kept))
        return
    but = "" if done.is_whole else f", but for {done.unmade_count + done.owed_count:,} that follow"
    what = f"{done.entries:,} entries, {size_text(done.size)}" if length is None else _device_words(length, done.size)
    say(f"{typed.dataset}: restored to {to}: {what}{but}")
    proof = "every chunk was read" if length is None else "all of it was read back from there"
    say(f"  {size_text(done.written)} written; {proof} and its name computed anew: {size_text(done.verified)}")
    if kept is not None:
        say(f"  {kept.first.sentence}")
    if kept is not None and kept.resumed:
        say(f"  what it found when it went on, half restored, is generation {kept.resumed}")
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


def _device_words(length: int, held: int) -> str:
    return f"a device of {size_text(length)}, {size_text(held)} of it no zeros"


def _length_json(length: int | None) -> Json:
    return {} if length is None else {"size": length}


def _kept_json(kept: KeptInPlace | None) -> Json:
    if kept is None:
        return {}
    answer: Json = {"generation_before": kept.first.generation or None, "not_kept": kept.first.not_kept or None}
    return answer | {"generation_resumed": kept.resumed or None}


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
