"""``hikae verify`` of a device that fio writes to all the while: it never tells of a difference that is none."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agent.api.client import AdminClient
from agent.core.chunks import DEVICE_CHUNK
from agent.core.errors import TryAgain
from agent.operations.verifying import VerifyRequest
from fakes.agents import UNBRAKED
from fakes.background import Background
from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.fio import fio_writes, needs_fio
from fakes.loop_device import needs_loops
from fakes.loop_image import run, unmount

#: ``make soak PART=device-verify`` verifies so often, and writes faster.
VERIFIES = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
pytestmark = [needs_loops, needs_fio, pytest.mark.timeout(0 if VERIFIES else 300)]
MIB = 1 << 20
_SIZE, _WRITTEN = 160 * MIB, 128 * MIB
_TERMS = (
    UNBRAKED + '[dataset.device]\nrpo = "100ms"\nfreeze = "200ms"\n[dataset.hooks]\nstart = "none"\nstop = "none"\n'
)
#: Writes a second.
_RATE = 2000 if VERIFIES else 300


class _Committing(Background):
    """Has what was written committed at once, again and again: a busy machine commits seldom by itself."""

    def __init__(self, both: DevicePair) -> None:
        super().__init__("committing")
        self._both = both

    def turn(self) -> None:
        self._both.alpha.wait("durable", name="disk")


@contextmanager
def _written(both: DevicePair, kind: str, rng: random.Random) -> Iterator[None]:
    """Both run, and fio writes to the device itself or to a file on its filesystem; never to its last bytes."""
    seed = rng.randrange(1 << 31)
    if kind == "raw":
        with both.source.open("r+b", buffering=0) as device:
            device.write(rng.randbytes(_WRITTEN))
        with _running(both), fio_writes(both.source, _WRITTEN, _RATE, seed):
            yield
        return
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(both.source))
    where = both.mount(both.source)
    (where / "data").write_bytes(rng.randbytes(_WRITTEN))
    with _running(both), fio_writes(where / "data", _WRITTEN, _RATE, seed):
        yield
    unmount(where)


@contextmanager
def _running(both: DevicePair) -> Iterator[None]:
    both.start()
    for agent in both.agents:
        agent.up()
    both.alpha.wait(name="disk", within=120.0)
    with _Committing(both):
        yield


def _verified(both: DevicePair, *, deep: bool) -> tuple[dict[str, Any], bool]:
    """What a verify found, by the admin socket, and whether a commit came in the middle of it."""
    client = AdminClient(str(both.beta.socket))

    def asked() -> tuple[dict[str, Any], bool] | None:
        begun: list[int] = []

        def progress(_: object) -> None:
            begun.append(both.beta.look("disk")["applied"]["seq"])

        with suppress(TryAgain):
            found = client.ask(VerifyRequest("disk", deep), progress)
            return found, bool(begun) and found["commit"]["seq"] > begun[0]
        return None

    return eventually(asked)


def _typed(both: DevicePair, *words: str) -> tuple[int, dict[str, Any]]:
    """`hikae verify`: the exit code, and what it found."""
    done = both.beta.run("verify", "disk", "--json", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def _scribble(image: Path, at: int) -> None:
    with image.open("r+b", buffering=0) as file:
        file.seek(at)
        file.write(b"stranger")
        os.fsync(file.fileno())


@pytest.mark.parametrize("kind", ["raw", "ext4"])
def test_no_false_alarm_while_fio_writes(kind: str, rng: random.Random) -> None:
    """Each verify, deep or not, finds the commit that stood at its end, whichever that was; a stranger's bytes are told by where
    they are all the same, and --repair takes them away."""
    with device_pair(_SIZE, extra=_TERMS) as both:
        with _written(both, kind, rng):
            verified = crossed = 0
            # Of a commit that stands while it is read nothing is shown.
            while verified < (VERIFIES or 6) or crossed < 2:
                found, came = _verified(both, deep=bool(verified % 2))
                assert ([], True) == (found["differences"], found["equal"]), found
                verified, crossed = verified + 1, crossed + came
            print(f"{kind}: {verified} verifies, a commit came in the middle of {crossed}")
            _scribble(both.target, _SIZE - 100)
            expected = [{"path": f"bytes {_SIZE - DEVICE_CHUNK}-{_SIZE - 1}", "what": "content"}]
            for words in ((), ("--deep",)):
                code, found = _typed(both, *words)
                assert (1, expected, False) == (code, found["differences"], found["equal"])
            code, found = _typed(both, "--repair")
            assert (0, 1, []) == (code, found["repaired"], found["differences"])
        both.equal()
