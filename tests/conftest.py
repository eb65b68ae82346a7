"""What every test stands on: seeds that are shown, scratch directories of both kinds, and nothing left behind."""

from __future__ import annotations

import os
import random
import secrets
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fakes.forked import environment_now, server_of_this_process
from fakes.trees import remove_all

settings.register_profile("hikae", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hikae")

SEED_ENV = "HIKAE_TEST_SEED"
SHARED_MEMORY = Path("/dev/shm")

#: How long threads and children that were told to end may take to be gone.
LEAVE_SECONDS = 30.0

_seed_of = pytest.StashKey[int]()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, so that texts are known."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A fresh seed for a randomised test, printed when it fails; ``HIKAE_TEST_SEED`` repeats a run."""
    number = int(os.environ.get(SEED_ENV) or secrets.randbits(32))
    request.node.stash[_seed_of] = number
    return number


@pytest.fixture
def rng(seed: int) -> random.Random:
    """Random numbers from ``seed``."""
    return random.Random(seed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test says with which seed it can be had again."""
    report = yield
    number = item.stash.get(_seed_of, None)
    if report.failed and number is not None:
        report.sections.append(("seed", f"{SEED_ENV}={number}"))
    return report


@pytest.fixture
def tmpfs_dir(tmp_path: Path) -> Iterator[Path]:
    """An empty directory on a filesystem in memory, or an ordinary one where there is none."""
    if not SHARED_MEMORY.is_dir() or not os.access(SHARED_MEMORY, os.W_OK):
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(prefix="hikae-test-", dir=SHARED_MEMORY))
    yield path
    remove_all(path)


@pytest.fixture
def ext4_dir(tmp_path: Path) -> Path:
    """An empty directory on the machine's ordinary filesystem."""
    return tmp_path


def _threads() -> set[threading.Thread]:
    """Every thread but this one and the timer of pytest-timeout."""
    own = threading.current_thread()
    return {t for t in threading.enumerate() if t is not own and not t.name.startswith("pytest_timeout")}


def _children() -> dict[int, str]:
    """Command lines of this process's children by process id, those that ended and were not waited for included; and of what was
    forked for it."""
    server = server_of_this_process()
    children = _children_of("self")
    if server is not None:
        del children[server]
        children.update(_children_of(str(server)))
    return children


def _children_of(process: str) -> dict[int, str]:
    children: dict[int, str] = {}
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except OSError:
            continue
        for pid in pids:
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            children[int(pid)] = words.decode(errors="replace").strip() or "(ended, never waited for)"
    return children


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """A test that leaves a thread, a child process or a changed environment behind fails and names it."""
    threads_before, children_before, environment = _threads(), set(_children()), environment_now()
    yield
    deadline = time.monotonic() + LEAVE_SECONDS
    for thread in _threads() - threads_before:
        thread.join(max(0.0, deadline - time.monotonic()))
    threads = sorted(thread.name for thread in _threads() - threads_before)
    children = {pid: words for pid, words in _children().items() if pid not in children_before}
    assert ([], {}) == (threads, children), f"left behind: threads {threads}, processes {children}"
    assert environment == environment_now()
