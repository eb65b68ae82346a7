"""The source's root gone, replaced, emptied or unmounted: the standby keeps what it has until that ends or is accepted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.core.errors import Exit
from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.mounts import needs_root, unmount
from fakes.trees import snapshot


def with_files(both: Pair) -> None:
    """A live pair with a few files."""
    (both.source / "sub").mkdir()
    for number in range(20):
        (both.source / "sub" / f"f{number}").write_text(str(number))
    both.begin()


def test_a_root_that_was_moved_away_is_missed_and_found_again() -> None:
    """Held while it is gone, nothing on the standby changes; back in its place capture goes on by itself."""
    with pair() as both:
        with_files(both)
        before = snapshot(str(both.target))
        away = both.base / "away"
        both.source.rename(away)
        assert "error" == both.alpha.told("root-gone")["severity"]
        assert ("root-gone", "held") == (both.alpha.look()["hold"]["code"], both.alpha.look()["state"])
        (away / "meanwhile").write_text("written at its other place")
        assert before == snapshot(str(both.target))
        away.rename(both.source)
        both.alpha.cleared("root-gone")
        both.mirror()


def test_a_replaced_root_waits_for_a_person() -> None:
    """Another directory under the same name: held; `accept` types that it is meant, and the standby follows."""
    with pair() as both:
        with_files(both)
        before = snapshot(str(both.target))
        both.source.rename(both.base / "old")
        both.source.mkdir()
        (both.source / "new").write_text("another tree")
        both.alpha.told("root-replaced")
        assert before == snapshot(str(both.target))
        waited = both.alpha.run("reconcile", "web")
        assert (Exit.REFUSED, True, True) == (
            waited.returncode,
            f"another directory or filesystem stands at {both.source} than was captured" in waited.stderr,
            "hikae accept web" in waited.stderr,
        )
        assert Exit.REFUSED == both.beta.run("accept", "web", "--yes").returncode
        assert Exit.REFUSED == both.alpha.run("accept", "web").returncode
        both.alpha.json("accept", "web", "--yes")
        both.alpha.cleared("root-replaced")
        both.mirror()


def test_a_replaced_root_is_no_matter_once_the_old_one_is_back() -> None:
    """The old directory brought back ends the hold without a word."""
    with pair() as both:
        with_files(both)
        both.source.rename(both.base / "old")
        both.source.mkdir()
        both.alpha.told("root-replaced")
        both.source.rmdir()
        (both.base / "old").rename(both.source)
        both.alpha.cleared("root-replaced")
        (both.source / "later").write_text("1")
        both.mirror()


def test_an_emptied_source_never_empties_the_standby_by_itself() -> None:
    """Everything removed: received, held on the standby, and applied only when it is accepted there."""
    with pair() as both:
        with_files(both)
        before = snapshot(str(both.target))
        os.rename(both.source / "sub", both.base / "away")  # at once: what is removed in parts may be seen in parts
        both.alpha.wait("durable")
        problem = both.beta.told("held")
        assert "hikae accept web" in problem["remedy"]
        eventually(lambda: "held" == both.beta.look()["state"])
        assert before == snapshot(str(both.target))
        assert Exit.REFUSED == both.alpha.run("accept", "web", "--yes").returncode
        shown = both.beta.json("accept", "web", "--dry-run")
        assert problem["message"] == shown["hold"]
        both.beta.json("accept", "web", "--yes")
        both.mirror()
        both.beta.cleared("held")


def test_an_emptied_source_that_fills_again_ends_the_hold() -> None:
    """What was emptied by mistake and put back needs no person; a restart of the secondary between forgets nothing."""
    with pair() as both:
        with_files(both)
        (both.source / "sub").rename(both.base / "backup")  # at once, as above
        both.alpha.wait("durable")
        both.beta.told("held")
        both.beta.restart()
        both.beta.told("held")
        assert 20 == len(os.listdir(both.target / "sub"))
        shutil.copytree(both.base / "backup", both.source / "sub")
        both.mirror()
        both.beta.cleared("held")


@contextmanager
def bound(real: Path, where: Path) -> Iterator[None]:
    """A directory mounted at another place until the block ends, if it is not unmounted before."""
    bind(real, where)
    try:
        yield
    finally:
        with suppress(AssertionError):
            unmount(where)


def bind(real: Path, where: Path) -> None:
    """Mount a directory at another place."""
    subprocess.run(["mount", "--bind", str(real), str(where)], check=True)


@needs_root
def test_an_unmounted_source_is_held() -> None:
    """The mount goes, the empty directory below it shows: that is another root, not an emptied one; mounted again, on it goes."""
    with pair() as both:
        real = both.base / "real"
        real.mkdir()
        with bound(real, both.source):
            with_files(both)
            before = snapshot(str(both.target))
            unmount(both.source)
            both.alpha.told("root-replaced")
            assert before == snapshot(str(both.target))
            (real / "later").write_text("written while it was not mounted")
            bind(real, both.source)
            both.alpha.cleared("root-replaced")
            both.mirror()


@needs_root
def test_a_source_that_is_not_mounted_when_the_agent_starts_is_held() -> None:
    """The agent starts before its source is mounted, as after a boot: it waits, and the standby stays as it is."""
    with pair() as both:
        real = both.base / "real"
        real.mkdir()
        with bound(real, both.source):
            with_files(both)
            before = snapshot(str(both.target))
            both.alpha.kill()
            unmount(both.source)
            both.alpha.start()
            both.alpha.told("root-replaced")
            eventually(lambda: both.alpha.look()["peers"][0]["connected"])
            assert before == snapshot(str(both.target))
            bind(real, both.source)
            both.alpha.cleared("root-replaced")
            both.mirror()
