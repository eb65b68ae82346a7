"""A device's primary that stops and starts, or that is an image file: what it reads then, and that nothing is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fakes.device_agents import device_pair
from fakes.eventually import eventually
from fakes.loop_device import needs_loops
from fakes.loop_image import run, unmount

pytestmark = needs_loops


def test_a_restart_reads_no_more_than_it_must() -> None:
    """At a clean stop the map of what is owed is kept: no look at everything follows, and what was written meanwhile comes."""
    with device_pair() as both:
        run("mkfs.ext4", "-q", "-F", str(both.source))
        where = both.mount(both.source)
        both.start()
        both.alpha.up()
        both.alpha.wait(name="disk", within=90.0)
        both.alpha.kill(signal.SIGTERM)
        (where / "meanwhile").write_bytes(os.urandom(70_000))
        os.sync()
        both.alpha.start()
        both.alpha.up()
        both.alpha.wait(name="disk", within=90.0)
        watch = both.alpha.look("disk")["watch"]
        unmount(where)
        both.equal()
        assert (None, "blocktrace") == (watch["last_reconcile"], watch["kind"])


def test_a_kill_reads_all_and_loses_nothing() -> None:
    """Nothing was kept: what was written while no agent ran is found by a look at everything."""
    with device_pair() as both:
        run("mkfs.ext4", "-q", "-F", str(both.source))
        where = both.mount(both.source)
        both.start()
        both.alpha.up()
        both.alpha.wait(name="disk", within=90.0)
        both.alpha.kill()
        (where / "meanwhile").write_bytes(os.urandom(70_000))
        os.sync()
        both.alpha.start()
        both.alpha.up()
        both.alpha.wait(name="disk", within=90.0)
        unmount(where)
        both.equal()
        assert both.alpha.look("disk")["watch"]["last_reconcile"] is not None


def test_a_raw_image_is_replicated_by_its_times(tmp_path: Path) -> None:
    """A file that a program writes: nothing tells where, so all of it is read; a generation of it is of one moment."""
    image = tmp_path / "raw"
    image.write_bytes(os.urandom(3 << 20))
    with device_pair(image=image) as both:
        both.start()
        both.alpha.up()
        both.alpha.wait(name="disk", within=90.0)
        with image.open("r+b") as file:
            file.seek(1_000_000)
            file.write(b"news")
        both.equal()
        taken = both.alpha.json("generations", "take", "disk")["consistency"]
        assert ("events", "crash-consistent") == (both.alpha.look("disk")["watch"]["kind"], taken)


def test_a_device_that_shrank_waits_for_accept(tmp_path: Path) -> None:
    """It is held, and said; what an operator accepts is captured as it is now."""
    image = tmp_path / "raw"
    image.write_bytes(os.urandom(3 << 20))
    with device_pair(image=image) as both:
        both.start()
        both.alpha.up()
        both.alpha.wait(name="disk", within=90.0)
        os.truncate(image, 1 << 20)
        eventually(lambda: both.alpha.look("disk").get("state") == "held")
        hold = both.alpha.look("disk")["hold"]["code"]
        both.alpha.json("accept", "disk", "--yes")
        eventually(lambda: both.alpha.look("disk")["hold"] is None)
        eventually(lambda: both.alpha.look("disk")["commit"]["entries"] == 16)
        assert "device-shrunk" == hold
