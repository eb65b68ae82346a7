"""History of a device between two real agents: taken, told apart, checked, and brought back on either node."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.core.chunks import DEVICE_CHUNK
from fakes.agents import REPOSITORY, UNBRAKED, Agent
from fakes.device_agents import QUICK, DevicePair, device_pair
from fakes.eventually import eventually
from fakes.loop_device import needs_loops

pytestmark = needs_loops
_SIZE = 24 << 20
_PROBE = 'probe = ["sh", "-c", "head -c 5 $HIKAE_PATH; printf broken > $HIKAE_PATH"]\n'


@pytest.fixture(scope="module")
def both() -> Iterator[DevicePair]:
    """A device that was written raw; the generation ``before``, and then a chunk that changed, one that came and one that
    went."""
    with device_pair(_SIZE, extra=UNBRAKED + QUICK + _PROBE) as pair:
        _write(pair, (0, b"first" + bytes(1000)), (5 * DEVICE_CHUNK, b"to go"), (_SIZE - 5, b"last!"))
        pair.start()
        for agent in pair.agents:
            agent.up()
        pair.equal()
        pair.beta.json("generations", "take", "disk", "--label", "before")
        _write(pair, (0, b"other"), (5 * DEVICE_CHUNK, bytes(5)), (9 * DEVICE_CHUNK, b"new"))
        pair.equal()
        yield pair


def _write(pair: DevicePair, *writes: tuple[int, bytes]) -> None:
    fd = os.open(pair.source, os.O_WRONLY)
    for offset, data in writes:
        os.pwrite(fd, data, offset)
    os.fsync(fd)
    os.close(fd)


def _before() -> bytes:
    image = bytearray(_SIZE)
    image[:5], image[5 * DEVICE_CHUNK : 5 * DEVICE_CHUNK + 5], image[-5:] = b"first", b"to go", b"last!"
    return bytes(image)


@contextmanager
def _mounted(agent: Agent, where: Path, *words: str) -> Iterator[Path]:
    where.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "agent.cli.main",
        "--config",
        str(agent.config),
        "mount",
        "disk",
        str(where),
        *words,
    ]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: os.path.ismount(where) or process.poll() is not None, within=60)
            assert process.poll() is None
            yield where
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.mark.parametrize("name", ["beta", "alpha"])
def test_it_is_restored_on_either_node(both: DevicePair, name: str) -> None:
    """On the secondary, and over the network on the primary: bit for bit, sparse, each byte of it verified."""
    agent, to = both[name], both.base / f"restored on {name}.img"
    words = () if name == "beta" else ("--from", "beta")
    found: dict[str, Any] = agent.json("restore", "disk", "--generation", "before", "--to", str(to), *words)
    assert _before() == to.read_bytes()
    assert (_SIZE, found["bytes"]) == (found["size"], found["verified"])
    assert os.stat(to).st_blocks * 512 < _SIZE // 2
    again = agent.json("restore", "disk", "--generation", "before", "--to", str(to), "--yes", *words)
    assert 0 == again["written_bytes"]


@pytest.mark.parametrize("name", ["beta", "alpha"])
def test_what_differs_is_told_on_either_node(both: DevicePair, name: str) -> None:
    """By extents, and how much lies in them; for people too."""
    found = both[name].json("generations", "diff", "disk", "before", "now")
    told = [(one["what"], one["start"] // DEVICE_CHUNK, one["end"] // DEVICE_CHUNK) for one in found["entries"]]
    assert [("changed", 0, 1), ("deleted", 5, 6), ("added", 9, 10)] == told
    assert (1, 1, 1, 0, 3 * DEVICE_CHUNK) == (
        *(found[what] for what in ("added", "changed", "deleted", "moved")),
        found["changed_bytes"],
    )
    said = both[name].run("generations", "diff", "disk", "before").stdout
    assert (True, True) == ("- bytes 327,680 to 393,216  64.0 KiB" in said, "192 KiB in these extents" in said), said


def test_it_is_mounted_on_either_node(both: DevicePair) -> None:
    """As an image, of the secondary's own history and over the network."""
    with _mounted(both.beta, both.base / "history") as where:
        assert _before() == (where / "before" / "disk.img").read_bytes()
    with _mounted(both.alpha, both.base / "afar", "--from", "beta", "--generation", "before") as where:
        assert _before() == (where / "disk.img").read_bytes()


def test_it_is_listed_checked_and_has_no_names(both: DevicePair) -> None:
    """The list counts it, verify reads every chunk, and find says what is done instead."""
    (listed,) = both.beta.json("generations", "list", "disk")
    checked = both.beta.json("generations", "verify", "disk")
    assert ("before", "before") == (listed["label"], both.beta.json("generations", "show", "disk", "before")["label"])
    assert ([], True) == (checked["damaged"], checked["checked_bytes"] >= listed["bytes"] > 0)
    done = both.beta.run("find", "disk", "etc/passwd")
    assert (3, True) == (done.returncode, "hikae mount disk DIR" in done.stderr), done.stderr


def test_it_is_rehearsed(both: DevicePair) -> None:
    """The probe reads the standby's bytes and writes over them; the standby stays equal."""
    found = both.beta.json("rehearse", "disk")
    assert (True, "other") == (found["ok"], found["output"])
    verified = both.beta.json("verify", "disk")
    assert (True, []) == (verified["equal"], verified["differences"])


def test_its_own_device_is_no_target(both: DevicePair) -> None:
    """On neither node, whatever is agreed to."""
    for agent, path, words in ((both.beta, both.target, ()), (both.alpha, both.source, ("--from", "beta"))):
        done = agent.run("restore", "disk", "--generation", "before", "--to", str(path), "--yes", *words)
        assert (3, True) == (done.returncode, "it is what disk has here" in done.stderr), done.stderr


def test_answers_are_json_alone(both: DevicePair) -> None:
    """Words go to stderr."""
    done = both.beta.run(
        "restore", "disk", "--generation", "before", "--to", str(both.base / "x.img"), "--dry-run", "--json"
    )
    assert (_SIZE, 0) == (json.loads(done.stdout)["size"], json.loads(done.stdout)["written_bytes"])


def test_a_machine_is_built_anew_from_its_standby(both: DevicePair) -> None:
    """Its agent and all that it knew are gone: with its configuration and certificate alone its own disk comes back over the
    network. The last test of this pair."""
    both.alpha.kill()
    shutil.rmtree(both.alpha.state)
    with both.source.open("r+b") as disk:
        disk.write(os.urandom(1 << 20))
    found = both.alpha.json(
        "restore", "disk", "--generation", "before", "--from", "beta", "--to", str(both.source), "--yes"
    )
    assert _before() == both.source.read_bytes()
    assert (True, _SIZE) == (0 < found["written_bytes"] <= found["bytes"] == found["verified"], found["size"])
