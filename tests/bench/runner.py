"""Runs jobs one after the other, each in a fresh directory in memory, and makes a row of whatever became of them."""

from __future__ import annotations

import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from bench import (
    balanced,
    busy_file,
    changes,
    delays,
    devices,
    expiry,
    first_syncs,
    foreign_changes,
    health,
    many,
    moments,
    mounts,
    restores,
    role_changes,
    stores,
    tracking,
)
from bench.copies import sshd
from bench.crew import Failed
from bench.figures import Row, Spec, unmeasured
from bench.job import Bench, Job
from bench.machine import MEMORY, Unmeasurable, two_filesystems
from bench.memory import Memory
from bench.sizes import Sizes
from bench.specs import Jobs

JOBS: Mapping[str, Job] = {
    "first-sync-small": first_syncs.small,
    "first-sync-large": first_syncs.large,
    "scattered-change": changes.scattered,
    "many-files": many.many,
    "moments": moments.moments,
    "durable-write": delays.durable_write,
    "lag": delays.lag,
    "expiry": expiry.expiry,
    "restore-small": restores.restore_small,
    "restore-large": restores.restore_large,
    "store": stores.store,
    "mount": mounts.mount,
    "role-changes": role_changes.role_changes,
    "balanced": balanced.balanced,
    "health": health.health,
    "track": tracking.track,
    "device": devices.device,
    "busy-file": busy_file.busy_file,
    "foreign-changes": foreign_changes.foreign_changes,
}


class Runner:
    """``failed``: jobs that ended with an error, which is not the same as a limit that was missed."""

    def __init__(self, sizes: Sizes, say: Callable[[str], None]) -> None:
        self.failed: list[str] = []
        self._sizes = sizes
        self._say = say

    def run(self, jobs: Jobs) -> list[Row]:
        """All of them; every row of theirs, measured or with the reason why not."""
        rows: list[Row] = []
        memory = Memory(self._sizes.hold_memory)
        with _in_memory() as top, memory.given_back(), _ssh_server(top) as ssh:
            for name, specs in jobs.items():
                self._say(f"{name} …")
                base = top / name
                base.mkdir()
                bench = Bench(self._sizes, base, memory, ssh, lambda words: self._say(f"  {words}"))
                with two_filesystems(base):
                    rows += self._measure(name, bench, {spec.name: spec for spec in specs})
                shutil.rmtree(base)
        return rows

    def _measure(self, name: str, bench: Bench, specs: Mapping[str, Spec]) -> list[Row]:
        found: dict[str, Row] = {}
        reason = "there was not enough memory to get that far"
        try:
            for row in JOBS[name](bench, specs):
                found[row.spec.name] = row
        except Unmeasurable as error:
            reason = str(error)
            self._say(f"  not measured: {reason}")
        except Exception as error:
            reason = f"failed: {type(error).__name__}: {error}"
            self.failed.append(name)
            traceback.print_exc(file=sys.stderr)
        return [found.get(key) or unmeasured(spec, _first_line(reason)) for key, spec in specs.items()]


@contextmanager
def _in_memory() -> Iterator[Path]:
    """A directory on the filesystem in memory. Raises ``Unmeasurable``."""
    if not MEMORY.is_dir():
        raise Unmeasurable(f"{MEMORY} is not there: a filesystem in memory is needed")
    top = Path(tempfile.mkdtemp(prefix="hikae-bench-", dir=MEMORY))
    try:
        yield top
    finally:
        shutil.rmtree(top, ignore_errors=True)


@contextmanager
def _ssh_server(top: Path) -> Iterator[Callable[[], str]]:
    """An ssh server that is started when it is asked for the first time; why it could not be is said every time."""
    with ExitStack() as stack:

        @cache
        def attempt() -> str | Failed | Unmeasurable:
            try:
                return stack.enter_context(sshd(top / "ssh"))
            except (Failed, Unmeasurable) as error:
                return error

        def command() -> str:
            found = attempt()
            if isinstance(found, str):
                return found
            raise found

        yield command


def _first_line(text: str) -> str:
    return text.splitlines()[0][:300] if text else ""
