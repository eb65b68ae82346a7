"""A virtual machine's disk, kept while the machine runs from it: the standby boots, and so do an older moment and a larger disk
that was made of it by the page for bare metal.

The machine is Debian in software emulation (``boots``); a file in it says which moment of its disk was booted. Each boot takes
minutes, so that this is a part of ``make soak`` alone. What came by the serial line of the promoted disk, and a picture of its
screen, are kept in docs/evidence."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from boots.guest import Guest, monitor_script
from boots.system import SIZE, bootable_disk, what_is_missing
from fakes.agents import REPOSITORY, UNBRAKED
from fakes.bare_metal_page import TypedPage, blocks_to_a_disk
from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

_MISSING = what_is_missing()
pytestmark = [
    needs_loops,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.environ.get("HIKAE_SOAK_PART") != "boots", reason="make soak PART=boots"),
    pytest.mark.skipif(bool(_MISSING), reason=_MISSING),
]
_LARGER = SIZE + (512 << 20)
#: The machine is brought to rest by its monitor: nothing on this host has its filesystem mounted, to freeze it.
_TERMS = f'quiesce = "hook"\n{UNBRAKED}[dataset.device]\nrpo = "2s"\n[dataset.hooks]\nstart = "none"\nstop = "none"\n'
_LOAD = "(while :; do head -c 300000 /dev/urandom > /var/tmp/load; sync; sleep 1; done) > /dev/null 2>&1 &"
_KEPT = REPOSITORY / "docs" / "evidence"
#: What a terminal would act on, and not show.
_ESCAPES = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|[A-Za-z0-9])|[\x00-\x09\x0b-\x1f\x7f]")


@contextmanager
def pair_of_a_machine() -> Iterator[DevicePair]:
    """Agents that do not run yet, and alpha's device with the machine's disk on it."""
    try:
        image = bootable_disk()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the machine's disk cannot be made ({error}); is the package mirror reachable?")
    with device_pair(SIZE, extra=_TERMS, directory="/var/tmp") as both:
        script = monitor_script(both.base)
        hooks = "".join(
            f"{name} = {json.dumps([sys.executable, str(script), str(both.base / 'alpha.monitor'), word])}\n"
            for name, word in (("before_freeze", "stop"), ("after_thaw", "cont"))
        )
        for agent in both.agents:
            agent.config.write_text(agent.config.read_text() + hooks)
        words = ("dd", f"if={image}", f"of={both.source}", "bs=1M", "conv=sparse", "oflag=direct", "status=none")
        run(*words)
        yield both


def changed_while_it_is_kept(both: DevicePair) -> str:
    """The machine runs from the device, writes, and is cut off with its primary; a generation of the moment ``second``."""
    with Guest(both.source, both.base, "alpha") as guest:
        said(guest, "the primary's disk")
        assert "as-it-was-made" == guest.marker
        both.start()
        for agent in both.agents:
            agent.up()
        guest.type(_LOAD)
        both.alpha.wait(name="disk", within=600.0)
        guest.type("echo second > /marker; sync")
        taken = both.beta.json("generations", "take", "disk", timeout=300)
        assert "application-consistent" == taken["consistency"], taken
        guest.type("echo third > /marker; sync")
        both.alpha.wait(name="disk", within=300.0)
        eventually(lambda: both.beta.look("disk")["commit"]["consistent"], within=300)
        both.alpha.kill()
    return str(taken["generation"])


def said(guest: Guest, what: str) -> None:
    """What was booted, for who reads."""
    print(
        f"boots from {what}: marker {guest.marker}, / of {guest.kilobytes:,} kB, after {guest.seconds:.0f} s",
        flush=True,
    )


def booted(both: DevicePair, disk: Path, name: str, what: str) -> tuple[str, int]:
    """Boots from a disk and powers off: the marker that is there, and the size of its filesystem in kB."""
    with Guest(disk, both.base, name) as guest:
        said(guest, what)
        if name == "promoted":
            keep(guest)
        guest.power_off()
    return guest.marker, guest.kilobytes


def keep(guest: Guest) -> None:
    """Its serial line, as text, and its screen become evidence."""
    _KEPT.mkdir(exist_ok=True)
    guest.ask_monitor(f"screendump {_KEPT / 'boots.png'} -f png")
    lines = _ESCAPES.sub("", guest.log.read_text(errors="replace")).splitlines()
    (_KEPT / "boots.txt").write_text("".join(f"{line.rstrip()}\n" for line in lines if line.strip()))


def live_system(both: DevicePair) -> Path:
    """What the page asks for on the live system: alpha's file with an empty state_dir, and a certificate of its name."""
    live = both.base / "live"
    live.mkdir()
    text = both.alpha.config.read_text().replace(f'"{both.alpha.state}"', f'"{live}/state"')
    config = live / "agent.toml"
    config.write_text(text.replace(f'"{both.alpha.pki}', f'"{live}/pki'))
    renewed = both.beta.run("pki", "renew", "alpha", "--dir", str(both.keys))
    assert renewed.returncode == 0, renewed.stderr
    shutil.copytree(both.keys, live / "pki")
    return config


def typed_to(disk: str, both: DevicePair, part: Path) -> None:
    """The page, on a disk that is larger; ``part``: where the node of its partition is made."""
    page = TypedPage(disk, 1, part, live_system(both))
    _, restore, larger, grow = blocks_to_a_disk()
    page.type(restore)
    page.type(larger)
    try:
        page.make_node()
        page.type(grow)
    finally:
        subprocess.run(["partx", "--delete", disk], check=False)


def test_it_boots_from_wherever_it_is_brought_back(tmp_path: Path) -> None:
    """The promoted standby is the last moment, a restored generation an older one, and a larger disk has all its room."""
    with pair_of_a_machine() as both:
        generation = changed_while_it_is_kept(both)
        older = both.base / "older.img"
        both.beta.json("restore", "disk", "--generation", generation, "--to", str(older), timeout=600)
        with attached(sparse(both.base / "larger.img", _LARGER)) as disk:
            typed_to(disk, both, tmp_path / "part")
            bare = booted(both, Path(disk), "bare-metal", "a larger disk, by docs/bare-metal.md")
        second = booted(both, older, "older", f"generation {generation}")
        both.beta.json("promote", "disk", "--force", "--yes", "--reason", "alpha died", "--approved-by", "a test")
        third = booted(both, both.target, "promoted", "the promoted standby")
        assert ("third", "second", "third") == (third[0], second[0], bare[0])
        assert (third[1], True) == (second[1], bare[1] - third[1] > 400_000)
