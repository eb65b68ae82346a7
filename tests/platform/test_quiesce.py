"""Generations of a source that stands still: two agents, hooks that write what they do, and a filesystem that is really
frozen."""

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

import pytest

from agent.core.errors import Exit
from fakes.agents import REPOSITORY, Pair, pair
from fakes.eventually import eventually
from fakes.loop_image import can_mount, filesystem, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices")


def hook(log: Path, word: str, code: int = 0) -> str:
    """A hook, as it stands in a configuration, that writes a word and what it was told."""
    what = f"open({str(log)!r}, 'a').write(' '.join(({word!r}, os.environ['HIKAE_DATASET'], os.environ['HIKAE_EPOCH'])) + '\\n')"
    return json.dumps([sys.executable, "-c", f"import os; {what}; print('{word} done'); raise SystemExit({code})"])


@contextmanager
def quiesced(base: Path, log: Path, kind: str, disk_kind: str = "ext4", **hooks: str) -> Iterator[Pair]:
    """Two agents whose state and trees stand on one filesystem; the first sync is through."""
    table = "".join(f"{name} = {value}\n" for name, value in hooks.items())
    extra = f'quiesce = "{kind}"\n[dataset.hooks]\n{table}'
    with filesystem(disk_kind, base) as disk:
        states = {"alpha": disk / "alpha", "beta": disk / "beta"}
        with pair(extra, source=disk / "source", standby=disk / "standby", states=states) as both:
            (both.source / "first").write_text("1")
            both.begin()
            yield both
            both.stop()


def test_a_frozen_generation(tmpfs_dir: Path, tmp_path: Path) -> None:
    """A generation of a frozen filesystem is crash-consistent, and says for how long nobody could write."""
    with quiesced(tmpfs_dir, tmp_path, "freeze") as both:
        (both.source / "second").write_text("2")
        taken = both.beta.json("generations", "take", "web")
        assert ("crash-consistent", "", True) == (taken["consistency"], taken["note"], taken["stood_still_ms"] > 0)
        (both.source / "third").write_text("3")
        both.mirror()


@pytest.mark.skipif(shutil.which("mkfs.btrfs") is None, reason="needs btrfs-progs")
def test_a_generation_of_a_snapshot(tmpfs_dir: Path, tmp_path: Path) -> None:
    """A generation of a btrfs snapshot is crash-consistent and holds what came before it; no snapshot is left."""
    with quiesced(tmpfs_dir, tmp_path, "btrfs", "btrfs") as both:
        (both.source / "second").write_text("2")
        taken = both.beta.json("generations", "take", "web")
        assert ("crash-consistent", "") == (taken["consistency"], taken["note"])
        (both.source / "third").write_text("3")
        both.mirror()
        assert [] == list(both.source.glob(".hikae/moment"))
        both.beta.json("restore", "web", "--generation", "latest", "--to", str(tmp_path / "back"))
    assert ["first", "second"] == sorted(one.name for one in (tmp_path / "back").iterdir() if one.name != ".hikae")


@pytest.mark.skipif(shutil.which("mkfs.btrfs") is None, reason="needs btrfs-progs")
def test_a_snapshot_that_a_kill_left(tmpfs_dir: Path, tmp_path: Path) -> None:
    """What an agent left that was killed while it read a snapshot is gone once it runs again."""
    with quiesced(tmpfs_dir, tmp_path, "btrfs", "btrfs") as both:
        both.beta.json("generations", "take", "web")
        both.alpha.kill()
        run("btrfs", "subvolume", "snapshot", "-r", str(both.source.parent), str(both.source / ".hikae" / "moment"))
        both.alpha.start()
        both.mirror()
        assert [] == list(both.source.glob(".hikae/moment"))


def test_hooks_around_a_freeze(tmpfs_dir: Path, tmp_path: Path) -> None:
    """With hooks around it the application made itself ready; what they said is kept with the generation."""
    log = tmp_path / "log"
    hooks = {"before_freeze": hook(log, "before"), "after_thaw": hook(log, "after")}
    with quiesced(tmpfs_dir, log, "freeze", **hooks) as both:
        taken = both.beta.json("generations", "take", "web")
        shown = both.beta.json("generations", "show", "web", "latest")
    assert ("application-consistent", ["before web 1", "after web 1"]) == (
        taken["consistency"],
        log.read_text().splitlines(),
    )
    assert ["it said: before done", "it said: after done"] == [line.partition("; ")[2] for line in shown["hooks"]]


def test_offline(tmpfs_dir: Path, tmp_path: Path) -> None:
    """Typed on the primary: stopped, taken on the other node, started; typed elsewhere it says where."""
    log = tmp_path / "log"
    hooks = {"stop": hook(log, "stop"), "start": hook(log, "start")}
    with quiesced(tmpfs_dir, log, "none", **hooks) as both:
        eventually(lambda: log.exists() and ["start web 1"] == log.read_text().splitlines())
        log.unlink()
        (both.source / "last").write_text("words")
        taken = both.alpha.json("generations", "take", "web", "--offline", "--label", "before")
        names = [one["name"] for one in taken["steps"]]
        assert (["stop", "wait", "take", "start"], "application-consistent") == (names, taken["consistency"])
        assert (["stop web 1", "start web 1"], True) == (log.read_text().splitlines(), taken["down_ms"] > 0)
        assert ["before"] == [one["label"] for one in both.beta.json("generations", "list", "web")]
        elsewhere = both.beta.run("generations", "take", "web", "--offline")
        assert (Exit.REFUSED, True) == (
            elsewhere.returncode,
            "on alpha: hikae generations take --offline web" in elsewhere.stderr,
        )
        both_flags = both.alpha.run("generations", "take", "web", "--offline", "--pin")
        assert Exit.USAGE == both_flags.returncode


def test_offline_does_not_start(tmpfs_dir: Path, tmp_path: Path) -> None:
    """An application that does not start again is a failure that nobody can pass over."""
    log = tmp_path / "log"
    with quiesced(tmpfs_dir, log, "none", stop=hook(log, "stop"), start=hook(log, "start", 4)) as both:
        done = both.alpha.run("generations", "take", "web", "--offline")
        assert (Exit.FAILED, True, True) == (
            done.returncode,
            "IT IS DOWN" in done.stderr,
            "was taken" in done.stderr,
        ), done


def test_an_agent_killed_while_the_application_is_stopped(tmpfs_dir: Path, tmp_path: Path) -> None:
    """The next start of the agent starts the application."""
    log, stopping = tmp_path / "log", tmp_path / "stopping"
    waits = json.dumps(["/bin/sh", "-c", f"echo $$ > {stopping}; exec sleep 600"])
    with quiesced(tmpfs_dir, log, "none", stop=waits, start=hook(log, "start")) as both:
        words = (*both.alpha.program, "--config", str(both.alpha.config), "generations", "take", "web", "--offline")
        with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as command:
            stop = int(eventually(lambda: stopping.read_text() if stopping.exists() else ""))
            both.alpha.kill()
            command.wait(60)
        os.kill(stop, signal.SIGKILL)
        both.alpha.start()
        both.alpha.up()
        assert "start web" in eventually(lambda: log.read_text() if log.exists() else "")
        both.mirror()
