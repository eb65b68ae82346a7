"""``hikae demo``: the main job on this machine, in a directory that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import click

from agent.api.socket_file import PATH_LIMIT
from agent.cli.demo.agents import Agent, device_dataset, prepare, tree_dataset
from agent.cli.demo.device_story import DeviceStory, disks_at
from agent.cli.demo.disks import require_disks
from agent.cli.demo.steps import Story, Tell, percentile
from agent.cli.demo.tree import measure
from agent.cli.output import answer_json, json_option, remark, say
from agent.core.errors import Exit, HikaeError, Refused, UsageError
from agent.status.figures import size_text, span_text
from agent.status.text import shown
from agent.watch.blocks.instances import leftovers_removed

_SOCKET_ROOM = len("/hikae-demo-xxxxxxxx/alpha.sock.lock")
_SHOWN = 20
#: Bytes of a disk of the demonstration.
DISK = 96 << 20


@click.command()
@click.option(
    "--source", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Your own tree; only read."
)
@click.option("--keep", is_flag=True, help="Leave the directory, for a look around.")
@click.option("--device", is_flag=True, help="Of a disk with a filesystem on it, on loop devices (root).")
@json_option
def demo(source: Path | None, keep: bool, device: bool, as_json: bool) -> int:
    """Show the main job on this machine: two agents, live edits, kills, a comparison, a failover.

    A generation is taken, a file damaged and brought back, the tree rolled back. Then the primary is killed, its standby
    promoted, the old primary rejoins, and both change places again (your own tree: killed and promoted only).
    With --device it is a disk: ext4 is written while the disk beneath it is replicated, a generation is restored to a third disk,
    and the promoted disk is mounted.

    Everything happens in a temporary directory; nothing else is written. The last line is `identical: yes` (exit code
    0) or `identical: no` (1)."""
    began = time.monotonic()
    if device:
        return _of_device(source, keep, as_json)
    with _directory(keep) as base, _ended_in_order():
        own = source.resolve() if source else base / "source"
        if source:
            _check_room(own, base)
        story = _story(base, own, source is not None, as_json)
        _play(story)
    return _finish(story, time.monotonic() - began, as_json)


def _of_device(source: Path | None, keep: bool, as_json: bool) -> int:
    if source is not None:
        raise UsageError(
            "demonstrate", str(source), "--source is a tree, and --device makes a disk of its own", "name one"
        )
    require_disks(os.geteuid())
    began = time.monotonic()
    with _directory(keep) as base, _ended_in_order(), ExitStack() as stack:
        disks = disks_at(base, DISK)
        for disk in disks:
            stack.callback(disk.close)
        alpha, beta = prepare(base, device_dataset(disks[0].device, disks[1].device))
        stack.callback(_no_traces, alpha.state, beta.state)
        story = DeviceStory(alpha, beta, *disks, _telling(as_json))
        _play(story)
    return _finish(story, time.monotonic() - began, as_json)


def _no_traces(*states: Path) -> None:
    """Agents that ended in order have the kernel note on for a day, for their next start: there is none."""
    for state in states:
        if state.is_dir():
            leftovers_removed(state, ())


def _play(story: Story | DeviceStory) -> None:
    try:
        story.play()
    except HikaeError:
        _show_logs(story.alpha, story.beta)
        raise
    finally:
        story.alpha.stop()
        story.beta.stop()


def _story(base: Path, source: Path, foreign: bool, as_json: bool) -> Story:
    # A watcher without privilege marks its place by a file in the tree; polling writes nothing.
    alpha, beta = prepare(base, tree_dataset(source, base / "standby", "polling" if foreign else "auto"))
    return Story(alpha, beta, source, base / "standby", _telling(as_json), foreign, bar=not as_json)


def _telling(as_json: bool) -> Tell:
    tell_to = remark if as_json else say

    def tell(step: str, words: str) -> None:
        tell_to(f"✓ {step:<14} {words}")

    return tell


def _finish(story: Story | DeviceStory, seconds: float, as_json: bool) -> int:
    identical, failover = not story.differences, story.failover
    restored = None if story.restored_differences is None else not story.restored_differences
    lags = [round(percentile(story.lags_ms, share), 1) for share in (50, 99)] if story.lags_ms else [None, None]
    for line in (story.restored_differences or [])[:_SHOWN]:
        remark(f"  restored: {line}")
    for line in story.differences[:_SHOWN]:
        remark(f"  {line}")
    if len(story.differences) > _SHOWN:
        remark(f"  and {len(story.differences) - _SHOWN:,} more")
    if as_json:
        answer_json(
            {
                "identical": identical,
                "lag_ms_p50": lags[0],
                "lag_ms_p99": lags[1],
                "generations": story.generations,
                "lost_changes": failover.lost_changes if failover else None,
                "promoted": failover.promoted if failover else None,
                "rto_ms": failover.rto_ms if failover else None,
                "restored_identical": restored,
                "seconds": round(seconds, 1),
            }
        )
    else:
        lag = (
            f"lag {lags[0]:.0f} ms (p50), {lags[1]:.0f} ms (p99); "
            if lags[0] is not None and lags[1] is not None
            else ""
        )
        say(f"{lag}{span_text(seconds)} in all")
        say(f"identical: {'yes' if identical else 'no'}")
    return Exit.DONE if identical and restored is not False else Exit.FAILED


def _check_room(source: Path, base: Path) -> None:
    """The standby, its history and what is brought back take up to three times the source's size."""
    needed, free = 3 * measure(str(source)).bytes, shutil.disk_usage(base).free
    if needed > free:
        reason = f"up to {size_text(needed)} are needed in {base.parent}, {size_text(free)} are free"
        raise Refused("demonstrate", shown(str(source)), reason, "set TMPDIR to a larger place")


def _show_logs(*agents: Agent) -> None:
    for agent in agents:
        remark(f"the end of {agent.name}'s log:")
        for line in agent.tail():
            remark(f"  {line}")


@contextmanager
def _directory(keep: bool) -> Iterator[Path]:
    """A fresh directory, short enough for sockets, that is gone afterwards unless it is to be kept."""
    place = tempfile.gettempdir()
    if len(os.fsencode(place)) + _SOCKET_ROOM > PATH_LIMIT:
        place = "/tmp"  # noqa: S108  mkdtemp makes a private directory in it
    base = Path(tempfile.mkdtemp(prefix="hikae-demo-", dir=place))
    try:
        yield base
    finally:
        if keep:
            remark(f"kept: {base}")
        else:
            shutil.rmtree(base, ignore_errors=True)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end us as Ctrl-C does: children are stopped and the directory goes."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
