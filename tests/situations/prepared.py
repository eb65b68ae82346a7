"""How two agents are brought into each situation. Each stands as long as its block lasts."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent import pki
from fakes.agents import Agent, Pair, pair, running
from fakes.eventually import eventually
from fakes.mounts import memory
from fakes.unprivileged import Nobody

Situation = Callable[[], AbstractContextManager[Pair]]
Json = dict[str, Any]
_FIRST_SYNC = '[dataset.limits]\nfirst_sync = [{ rate = "400kB/s" }]\n'
_SLOW = '[dataset.limits]\nsteady = [{ rate = "100kB/s" }]\n'
_PATIENCE = 120.0


def _is(state: str) -> Callable[[Json], bool]:
    return lambda dataset: dataset.get("state") == state


def _has_stood(both: Pair) -> None:
    """What is up to date is so since more than moments."""

    def is_late(agent: Agent) -> bool:
        status = agent.seen() or {"clock": "", "datasets": []}
        peers = [peer for dataset in status["datasets"] for peer in dataset["peers"] if peer["applied"]]
        clock = datetime.fromisoformat(status["clock"])
        return all(clock - datetime.fromisoformat(peer["applied"]) > timedelta(seconds=6) for peer in peers)

    eventually(lambda: is_late(both.alpha), _PATIENCE)


def _both_come_to(both: Pair, alphas: Callable[[Json], Any], betas: Callable[[Json], Any]) -> None:
    eventually(lambda: alphas(both.alpha.look()) and betas(both.beta.look()), _PATIENCE)


@contextmanager
def _filled(extra: str = "", files: int = 20, **more: Any) -> Iterator[Pair]:
    """A pair whose trees are equal."""
    with pair(extra, **more) as both:
        for number in range(files):
            (both.source / f"page-{number}.html").write_text(f"first {number}")
        both.begin()
        yield both


@contextmanager
def _held() -> Iterator[Pair]:
    with _filled(files=300) as both:
        for number in range(200):
            (both.source / f"page-{number}.html").unlink()
        _both_come_to(both, _is("held"), _is("held"))
        _has_stood(both)
        yield both


@contextmanager
def _paused() -> Iterator[Pair]:
    with _filled() as both:
        both.beta.json("pause", "web", "--apply", "--for", "2h")
        (both.source / "newer.html").write_text("newer")
        _both_come_to(both, _is("paused"), _is("paused"))
        eventually(lambda: both.beta.look()["commit"]["entries"] == 21, _PATIENCE)
        _has_stood(both)
        yield both


@contextmanager
def _disk_nearly_full() -> Iterator[Pair]:
    """The secondary's state lies on a small filesystem of its own, which somebody else fills."""
    place = Path(tempfile.mkdtemp(prefix="hikae-disk-", dir="/dev/shm"))
    try:
        with memory(place, "400m"), _filled(states={"beta": place / "state"}) as both:
            room = os.statvfs(place)
            (place / "somebody-elses").write_bytes(bytes(room.f_bavail * room.f_frsize - (80 << 20)))

            def is_told() -> bool:
                return "disk-filling" in both.beta.problems() and bool(both.beta.look())

            eventually(is_told, _PATIENCE)
            yield both
            both.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _renewed_for_days(both: Pair, agent: Agent, days: int) -> None:
    """Another certificate for a node, which ends soon."""
    for end in ("crt", "key"):
        (both.keys / f"{agent.name}.{end}").unlink()
    pki.issue(agent.name, str(both.keys), ["127.0.0.1"], days)
    both.hand_out(agent)


@contextmanager
def _certificate_ending() -> Iterator[Pair]:
    with _filled() as both:
        _renewed_for_days(both, both.beta, 6)
        both.beta.restart()
        _both_come_to(both, lambda one: one and one["peers"][0]["connected"], lambda one: one)
        eventually(lambda: "certificate" in both.beta.problems(), _PATIENCE)
        yield both


@contextmanager
def _peer_away() -> Iterator[Pair]:
    with _filled() as both:
        both.beta.kill()
        (both.source / "newer.html").write_bytes(os.urandom(3 << 20))

        def is_told() -> bool:
            seen = both.alpha.look()
            messages = " ".join(one["message"] for one in seen["problems"])
            return _is("disconnected")(seen) and seen["peers"][0]["behind_bytes"] > 0 and "nothing listens" in messages

        eventually(is_told, _PATIENCE)
        yield both


@contextmanager
def _first_sync() -> Iterator[Pair]:
    with pair(_FIRST_SYNC) as both:
        for number in range(20):
            (both.source / f"film-{number}.mp4").write_bytes(os.urandom(1 << 20))
        both.start()

        def is_far_enough(dataset: Json) -> bool:
            sync = dataset.get("sync") or {}
            done, total = sync.get("done_bytes") or 0, sync.get("total_bytes") or 1
            return dataset.get("state") == "first-sync" and done / total >= 0.3 and sync["eta_seconds"] is not None

        _both_come_to(both, is_far_enough, is_far_enough)
        yield both


@contextmanager
def _behind() -> Iterator[Pair]:
    """More is written than the limit lets through."""
    with _filled(_SLOW) as both, _writing(both.source):
        _both_come_to(both, _is("behind"), _is("behind"))
        eventually(lambda: both.alpha.look()["peers"][0]["behind_bytes"] > 5 << 20, _PATIENCE)
        yield both


@contextmanager
def _writing(tree: Path) -> Iterator[None]:
    """A program writes 800 kB in a second."""
    ends = threading.Event()

    def write() -> None:
        number = 0
        while not ends.wait(0.25):
            (tree / f"upload-{number}.jpg").write_bytes(os.urandom(200_000))
            number += 1

    writer = threading.Thread(target=write, name="writing")
    writer.start()
    try:
        yield
    finally:
        ends.set()
        writer.join()


@contextmanager
def _unreadable_file() -> Iterator[Pair]:
    """Agents of a user to whom a file is closed."""
    place = Path(tempfile.mkdtemp(prefix="hikae-nobody-", dir="/dev/shm"))
    try:
        user = Nobody(place)
        if reason := user.why_not():
            raise RuntimeError(reason)
        (place / "pair").mkdir()
        with running(lambda _: _owned(user, place / "pair")) as both:
            user.does(f"cd {both.source}; for n in 1 2 3 4 5; do echo $n > page-$n.html; done")
            both.begin()
            (both.source / "secret.html").write_text("secret")
            (both.source / "secret.html").chmod(0o600)
            _both_come_to(both, _is("degraded"), _is("degraded"))
            yield both
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _owned(user: Nobody, base: Path) -> Pair:
    both = Pair(base)
    user.owns(base)
    for agent in both.agents:
        agent.program = user.program
    return both


@contextmanager
def _clock_ahead() -> Iterator[Pair]:
    """The secondary's is seven minutes ahead."""
    with pair() as both:
        (both.base / "shift").write_text("420")
        both.beta.program = (sys.executable, "-m", "tests.fakes.shifted_agent", str(both.base / "shift"))
        for number in range(20):
            (both.source / f"page-{number}.html").write_text(f"first {number}")
        both.begin()
        eventually(lambda: all("clock" in agent.problems() for agent in both.agents), _PATIENCE)
        yield both


@contextmanager
def _standby_path_gone() -> Iterator[Pair]:
    with _filled() as both:
        both.target.rename(both.base / "moved")
        _both_come_to(both, _is("held"), _is("held"))
        (both.source / "newer.html").write_text("newer")
        eventually(lambda: both.beta.look()["commit"]["entries"] == 21, _PATIENCE)
        _has_stood(both)
        yield both


#: By name, as the pages are called.
SITUATIONS: dict[str, Situation] = {
    "held": _held,
    "paused": _paused,
    "disk-nearly-full": _disk_nearly_full,
    "certificate-ending": _certificate_ending,
    "peer-away": _peer_away,
    "first-sync": _first_sync,
    "behind": _behind,
    "unreadable-file": _unreadable_file,
    "clock-ahead": _clock_ahead,
    "standby-path-gone": _standby_path_gone,
}
