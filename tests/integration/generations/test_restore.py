"""``hikae restore``: trees come back exactly as they were, and whatever is wrong with a call is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.apply.ports import nothing_left_out
from agent.generations.reading import MomentReader
from agent.generations.restore.asked import Parts
from agent.generations.restore.crew import Crew
from agent.generations.restore.restoring import Restoration, restore_into
from agent.generations.restore.results import Done
from agent.generations.restore.target import Order, open_target
from agent.generations.restore.worker import Stores
from fakes.agents import Pair, pair
from fakes.mounts import enlarge, memory, needs_root
from fakes.trees import differences


def build(source: Path) -> None:
    """A tree with one of everything that is replicated."""
    deep = source / "a" / "b"
    deep.mkdir(parents=True)
    for at in range(40):
        (deep / f"file {at}").write_bytes(os.urandom(at * 997))
    for directory in range(20):
        below = source / "many" / f"{directory}"
        below.mkdir(parents=True)
        for at in range(10):
            (below / f"{at}").write_bytes(os.urandom(20_000))
    (source / "empty").touch()
    (source / "big").write_bytes(os.urandom(3 << 20))
    with (source / "holes").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(5 << 20)
        file.write(os.urandom(70_000))
    os.link(source / "big", deep / "another name")
    os.symlink("../nowhere", source / "link")
    os.mkfifo(source / "fifo", 0o640)
    os.setxattr(source / "empty", "user.mark", b"value")
    os.setxattr(source / "a", "user.mark", b"of a directory")
    (source / "a" / "private").mkdir(mode=0o700)
    (source / "a" / "private" / "secret").write_text("x")
    os.chmod(source / "a" / "private" / "secret", 0o4750)
    if os.geteuid() == 0:
        os.chown(deep / "file 3", 1234, 4321)
        os.mknod(source / "device", 0o600 | 0o020000, os.makedev(1, 3))
    os.utime(deep, ns=(1_234_567_890_123_456_789,) * 2)
    os.utime(source / "link", ns=(1_234_567_891_123_456_789,) * 2, follow_symlinks=False)


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    """A pair whose generation ``before`` is a copy ``was``; since then nearly all of it was changed."""
    with pair('[dataset.brake]\ndeleted = "100%"\nrewritten = "100%"\n') as running:
        build(running.source)
        running.begin()
        was = running.base / "was"
        subprocess.run(["cp", "-a", "--sparse=always", str(running.source), str(was)], check=True)
        shutil.rmtree(was / ".hikae", ignore_errors=True)
        os.utime(was, ns=(os.stat(running.source).st_mtime_ns,) * 2)
        assert [] == differences(str(was), str(running.source))
        running.beta.json("generations", "take", "web", "--label", "before")
        shutil.rmtree(running.source / "a")
        (running.source / "big").unlink()
        (running.source / "big").write_text("another")
        (running.source / "new").write_text("new")
        running.alpha.wait()
        yield running


@pytest.fixture
def to(both: Pair, request: pytest.FixtureRequest) -> Path:
    """A path where nothing stands."""
    return both.base / f"to {request.node.name}"


def restored(both: Pair, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What the command answers."""
    done = both.beta.run("restore", "web", *arguments, "--json")
    assert code == done.returncode, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def refused(both: Pair, *arguments: str) -> tuple[int, str]:
    """How the command fails, and in what words."""
    done = both.beta.run("restore", "web", *arguments)
    assert "Traceback" not in done.stderr
    assert not done.stdout
    return done.returncode, done.stderr


def test_all_of_it_is_as_it_was(both: Pair, to: Path) -> None:
    """Content, holes, links, every kind, all metadata; nothing of ours is left in it, and all of it was verified."""
    answer = restored(both, "--generation", "before", "--to", str(to))
    assert [] == differences(str(both.base / "was"), str(to))
    assert not (to / ".hikae").exists()
    assert answer["bytes"] == answer["verified"] > 3 << 20
    assert 0 < answer["written_bytes"] <= answer["bytes"]
    assert [] == answer["unmade"] == answer["incomplete"]


def test_parts_stand_at_their_paths(both: Pair, to: Path) -> None:
    """A directory with all below it and one file; nothing else."""
    restored(both, "--generation", "latest", "--to", str(to), "a/b", str(both.target / "big"))
    assert (both.base / "was" / "a" / "b" / "file 39").read_bytes() == (to / "a" / "b" / "file 39").read_bytes()
    assert (both.base / "was" / "a").stat().st_mtime_ns == (to / "a").stat().st_mtime_ns
    assert ["a", "big"] == sorted(os.listdir(to))
    assert ["b"] == os.listdir(to / "a")
    assert (to / "big").stat().st_ino == (to / "a" / "b" / "another name").stat().st_ino


def test_one_file_goes_to_a_path(both: Pair, to: Path) -> None:
    """With its metadata; what stands there already is not overwritten."""
    answer = restored(both, "--generation", "latest", "--to", str(to), "a/private/secret")
    assert ("x", 0o4750, 1) == (to.read_text(), to.stat().st_mode & 0o7777, answer["entries"])
    code, words = refused(both, "--generation", "latest", "--to", str(to), "a/private/secret")
    assert (3, True) == (code, "it exists already" in words)


def test_a_moment_of_the_history_and_the_present(both: Pair, to: Path) -> None:
    """``--at`` now is what the standby is now."""
    restored(both, "--at", subprocess.check_output(["date", "+%F %T.%N"], text=True).strip(), "--to", str(to))
    assert "another" == (to / "big").read_text()
    assert "new" == (to / "new").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--generation", "1999"), 4, "no generation of web has that name or label"),
        (("--at", "1999-01-01"), 4, "history reaches back to"),
        (("--at", "2199-01-01"), 3, "it is in the future"),
        (("--generation", "before", "--at", "now"), 2, "one of --generation and --at"),
        (("--generation", "before", "none"), 4, "hikae find web none"),
        (("--generation", "before", "a/../b"), 2, "leads elsewhere"),
        (("--generation", "before", "/etc/passwd"), 2, "it is not below"),
    ],
)
def test_what_is_named_wrongly(both: Pair, to: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    """Each in one sentence, and nothing is made."""
    found, told = refused(both, "--to", str(to), *arguments)
    assert (code, True) == (found, words in told), told
    assert not to.exists()


def test_targets_that_will_not_do(both: Pair, to: Path) -> None:
    """Not empty, inside the dataset, inside hikae's state, a file, nowhere."""
    to.mkdir()
    (to / "mine").touch()
    places = {
        to: "it is not empty",
        both.target: "the directory of web here",
        both.target / "a": "the directory of web here",
        both.base: "lies in it",
        both.beta.state / "x": "hikae keeps its own state",
        both.base / "none" / "x": "the directory above it does not exist",
        both.beta.config: "it is no directory",
    }
    for place, words in places.items():
        code, told = refused(both, "--generation", "before", "--to", str(place))
        assert (3, True) == (code, words in told), told
    assert ["mine"] == os.listdir(to)
    assert 2 == refused(both, "--generation", "before")[0]
    assert 2 == refused(both, "--generation", "before", "--to", "x", "--in-place")[0]


@needs_root
def test_a_disk_too_small_is_not_filled(both: Pair, to: Path) -> None:
    """Neither by a tree nor by one file beside others; holes need no room."""
    with memory(to, "2m"):
        (to / "mine").touch()
        for arguments in ((str(to / "all"),), (str(to / "one"), "big")):
            code, told = refused(both, "--generation", "before", "--to", *arguments)
            assert (3, True) == (code, "it needs" in told and "holes not counted" in told), told
            assert ["mine"] == os.listdir(to)
        restored(both, "--generation", "before", "--to", str(to / "one"), "holes")
        assert 8 << 20 == (to / "one").stat().st_size


@needs_root
def test_what_was_begun_of_a_file_is_named(both: Pair, to: Path) -> None:
    """Where the disk fills up in the middle; it goes on there once there is room."""
    with memory(to, "2m"):
        (to / ".one.hikae-restore").touch(0o600)
        code, told = refused(both, "--generation", "before", "--to", str(to / "one"), "big")
        assert (75, True) == (code, f"what there is of it stays in {to}/.one.hikae-restore" in told), told
        enlarge(to, "8m")
        restored(both, "--generation", "before", "--to", str(to / "one"), "big")
        assert ["one"] == os.listdir(to)


def test_in_place_is_for_the_source(both: Pair) -> None:
    """A standby would be made equal to its primary again; the primary's own node keeps no vault."""
    code, told = refused(both, "--generation", "before", "--in-place", "--yes")
    assert (3, True) == (code, "follows alpha" in told), told
    done = both.alpha.run("restore", "web", "--generation", "before", "--to", str(both.base / "x"))
    assert (3, True) == (done.returncode, "type it on beta" in done.stderr), done.stderr


def test_a_target_beside_the_vault_is_warned_of(both: Pair, to: Path) -> None:
    """It is no copy for the day on which the disk goes."""
    done = both.beta.run("restore", "web", "--generation", "before", "--to", str(to), "big")
    assert (0, True) == (done.returncode, "who loses that disk loses both" in done.stderr), done.stderr
    assert "generation" in done.stderr.splitlines()[0]
    assert "every chunk was read and its name computed anew" in done.stdout


def test_a_dry_run_touches_nothing(both: Pair, to: Path) -> None:
    """It says how much would come."""
    answer = restored(both, "--generation", "before", "--to", str(to), "--dry-run")
    assert (0, True) == (answer["written_bytes"], answer["bytes"] > 3 << 20)
    assert not to.exists()


class CutOffError(Exception):
    """Ends a restore as a kill would: nothing is finished or put away."""


def into(both: Pair, to: Path, look: Callable[[Done], None]) -> Done:
    """The generation, restored in this process. ``look``: is told how far it is."""
    home = both.home(both.beta)
    stores = Stores(str(home / "catalog.db"), str(home / "vault"))
    with Crew(2) as crew, stores.opened() as (reader, read, _):
        number = reader.generations()[0].number
        commit = reader.commit_at(number)
        assert commit is not None
        target = open_target(str(to), Order("web", commit.digest.hex(), ()), in_place=False)
        try:
            wanted = Restoration(MomentReader(reader, read, number), stores.words, Parts(), nothing_left_out, look)
            return restore_into(target, wanted, crew, os.urandom(4).hex())
        finally:
            target.close()


def test_one_that_was_cut_off_goes_on(both: Pair, to: Path) -> None:
    """The second run makes it whole, and writes only what was not there; meanwhile another order is refused."""
    whole = into(both, both.base / "whole", lambda _: None).written

    def until_half(done: Done) -> None:
        if done.written >= whole / 2:
            raise CutOffError

    with pytest.raises(CutOffError):
        into(both, to, until_half)
    code, told = refused(both, "--generation", "before", "--to", str(to), "big")
    assert (3, True) == (code, "was cut off in it" in told), told
    answer = restored(both, "--generation", "before", "--to", str(to))
    assert answer["written_bytes"] <= 0.55 * whole
    assert answer["bytes"] == answer["verified"]
    assert [] == differences(str(both.base / "was"), str(to))
    assert not (to / ".hikae").exists()


def test_two_at_once(both: Pair, to: Path) -> None:
    """The second is told so, and the first goes on."""
    told: list[tuple[int, str]] = []

    def look(_: Done) -> None:
        if not told:
            told.append(refused(both, "--generation", "before", "--to", str(to)))

    assert into(both, to, look).is_whole
    assert (75, True) == (told[0][0], "another restore writes there now" in told[0][1]), told
    assert [] == differences(str(both.base / "was"), str(to))


def test_links_that_somebody_plants_lead_nowhere(both: Pair, to: Path) -> None:
    """In what a restore that was cut off left, links to a directory and a file outside, symbolic and hard: they are replaced, and
    nothing outside changes."""
    outside = both.base / f"outside {to.name}"
    (outside / "b").mkdir(parents=True)
    (outside / "victim").write_bytes(b"mine" * 50_000)

    def cut(done: Done) -> None:
        if done.entries > 3:
            raise CutOffError

    with pytest.raises(CutOffError):
        into(both, to, cut)
    for name, act in (("a", os.symlink), ("many", os.symlink)):
        if (to / name).is_dir():
            shutil.rmtree(to / name)
        act(outside, to / name)
    for name in ("big", "holes"):
        (to / name).unlink(missing_ok=True)
    os.link(outside / "victim", to / "big")
    os.symlink(outside / "victim", to / "holes")
    before = os.stat(outside / "victim")
    answer = restored(both, "--generation", "before", "--to", str(to))
    assert [] == differences(str(both.base / "was"), str(to))
    after = os.stat(outside / "victim")
    assert (before.st_mode, before.st_uid, before.st_mtime_ns) == (after.st_mode, after.st_uid, after.st_mtime_ns)
    assert b"mine" * 50_000 == (outside / "victim").read_bytes()
    assert ["b", "victim"] == sorted(os.listdir(outside))
    assert answer["displaced"] >= 3


def test_a_restore_is_made_while_the_agent_is_down(both: Pair, to: Path) -> None:
    """It needs nobody. The last of these tests: the agent stays down."""
    both.beta.kill()
    restored(both, "--generation", "before", "--to", str(to))
    assert [] == differences(str(both.base / "was"), str(to))
