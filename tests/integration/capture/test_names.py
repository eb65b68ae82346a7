"""Names on real directories: renames, hard links and deletions, as the pump gives them away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent.capture.outlet import ReadChunk
from agent.core.commit import Changes, Commit
from agent.core.ids import ROOT, ObjectId
from agent.core.row_checks import check_row
from agent.core.rows import NameRow, object_key
from agent.fs.confined import exchange
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import LightOutlet, Station, station


def name_changes(made: Station) -> tuple[list[NameRow], int]:
    """Names put, and keys of names dropped, since the traffic was forgotten."""
    puts = [row for change in made.outlet.changes for row in map(check_row, change.puts) if isinstance(row, NameRow)]
    return puts, sum(key[0] == ord("n") for change in made.outlet.changes for key in change.drops)


class TestRenames:
    """Names move, objects stay."""

    def test_a_directory_is_one_name(self, made: Station, root: Path) -> None:
        """A thousand files below it cost nothing: one name put, one dropped, and the parents' times."""
        (root / "a").mkdir()
        for number in range(1000):
            (root / "a" / f"f{number}").write_bytes(b"%d" % number)
        made.synced()
        made.outlet.forget_traffic()
        os.rename(root / "a", root / "b")
        made.give(Hint(b"b", Look.ENTRY, moved_from=b"a"))
        puts, drops = name_changes(made)
        assert ([b"b"], 1) == ([row.name for row in puts], drops)
        assert sum(len(changes) for changes in made.outlet.changes) <= 4
        assert [] == made.mirror()

    @pytest.mark.parametrize("told", [(b"a",), (b"b",), (b"b", b"a")])
    def test_half_a_move_is_enough(self, made: Station, root: Path, told: tuple[bytes, ...]) -> None:
        """Whichever half is told, the object is found at the other one."""
        (root / "a").write_bytes(b"moves")
        made.synced()
        before = made.id_of(b"a")
        os.rename(root / "a", root / "b")
        made.hint(*told)
        assert (None, before) == (made.id_of(b"a"), made.id_of(b"b"))
        assert [] == made.mirror()

    def test_two_directories_swap(self, made: Station, root: Path) -> None:
        """Neither is dropped."""
        for name in ("a", "b"):
            (root / name).mkdir()
            (root / name / f"in-{name}").write_bytes(name.encode())
        made.synced()
        ids = made.id_of(b"a"), made.id_of(b"b")
        fd = os.open(root, os.O_RDONLY)
        exchange(fd, b"a", fd, b"b")
        os.close(fd)
        made.hint(b"a")
        assert ids == (made.id_of(b"b"), made.id_of(b"a"))
        assert [] == made.mirror()

    def test_moved_out_of_a_directory_that_is_deleted(self, made: Station, root: Path) -> None:
        """Only the deleted directory is told; the file that was moved out of it keeps its object."""
        (root / "old").mkdir()
        (root / "old" / "kept").write_bytes(b"kept")
        made.synced()
        before = made.id_of(b"old/kept")
        os.rename(root / "old" / "kept", root / "kept")
        shutil.rmtree(root / "old")
        made.hint(b"old")
        assert before == made.id_of(b"kept")
        assert [] == made.mirror()

    def test_a_directory_moves_into_its_former_child(self, made: Station, root: Path) -> None:
        """a/b becomes b/a: parents are looked at before children, and nothing stands below itself."""
        (root / "a" / "b").mkdir(parents=True)
        made.synced()
        os.rename(root / "a" / "b", root / "b")
        os.rename(root / "a", root / "b" / "a")
        made.hint(b"b/a")
        assert [] == made.mirror()

    def test_out_edited_and_back(self, made: Station, root: Path) -> None:
        """A directory that left and came back changed is walked."""
        (root / "d").mkdir()
        (root / "d" / "f").write_bytes(b"before")
        made.synced()
        outside = root.parent / "outside"
        os.rename(root / "d", outside)
        (outside / "f").write_bytes(b"after!")
        (outside / "new").write_bytes(b"new")
        os.rename(outside, root / "d")
        made.hint(b"d", look=Look.SUBTREE)
        assert [] == made.mirror()
        os.rename(root / "d", outside)
        made.hint(b"d")
        assert made.id_of(b"d") is None
        os.rename(outside, root / "d")
        made.hint(b"d", look=Look.SUBTREE)
        assert [] == made.mirror()

    def test_a_hint_below_a_directory_that_moved_meanwhile(self, made: Station, root: Path) -> None:
        """The hint's path is gone; what it was about is found below the new name."""
        (root / "a").mkdir()
        (root / "a" / "f").write_bytes(b"old")
        made.synced()
        (root / "a" / "f").write_bytes(b"new")
        os.rename(root / "a", root / "b")
        made.hint(b"a/f")
        assert b"new" == made.copied(b"b/f")
        assert [] == made.mirror()


class TestLinks:
    """One object, several names."""

    def test_names_come_and_go(self, made: Station, root: Path) -> None:
        """A link is one name row; the object goes with its last name."""
        (root / "a").write_bytes(b"x")
        made.synced()
        made.outlet.forget_traffic()
        os.link(root / "a", root / "b")
        made.hint(b"b")
        assert ([], []) == (made.outlet.fresh, made.outlet.asked)
        assert made.id_of(b"a") == made.id_of(b"b")
        (root / "a").unlink()
        made.hint(b"a")
        assert [] == made.mirror()
        (root / "b").unlink()
        made.hint(b"b")
        assert [] == made.mirror()

    def test_a_write_through_a_name_outside(self, made: Station, root: Path) -> None:
        """A hint that knows only the handle finds the object."""
        (root / "in").write_bytes(b"x")
        os.link(root / "in", root.parent / "out")
        made.synced()
        fact = made.local.get(made.id_of(b"in") or ROOT)
        assert fact is not None
        (root.parent / "out").write_bytes(b"written outside")
        made.give(Hint(b"", Look.ENTRY, handle=fact.handle))
        assert b"written outside" == made.copied(b"in")


class Telling(LightOutlet):
    """Calls ``tell`` once, after the first commit that drops something; ``told`` then."""

    tell: Callable[[], None] | None = None
    told = False

    def commit(
        self, commit: Commit, changes: Changes, chunks: Sequence[ReadChunk], ahead: Sequence[tuple[int, ObjectId]]
    ) -> None:
        super().commit(commit, changes, chunks, ahead)
        if changes.drops and self.tell is not None and not self.told:
            self.told = True
            self.tell()


class TestDeletions:
    """What is gone goes, in slices."""

    def test_a_large_subtree(self, made: Station, root: Path) -> None:
        """Five thousand files below one hinted directory: no commit is too large, each is a valid tree."""
        for directory in range(50):
            path = root / "top" / f"d{directory}"
            path.mkdir(parents=True)
            for number in range(100):
                (path / f"f{number}").write_bytes(b"")
        with station(root, root.parent / "state2", LightOutlet()) as light:
            light.synced()
            light.outlet.forget_traffic()
            shutil.rmtree(root / "top")
            light.hint(b"top")
            assert max(len(changes) for changes in light.outlet.changes) <= 1100
            assert [object_key(ROOT)] == list(light.outlet.rows)

    def test_a_hint_drops_what_a_walk_is_dropping(self, root: Path) -> None:
        """A walk drops a directory, and on the way what stood where something of it was moved to. Told of meanwhile, it is
        gone when the walk comes back to it, and is not dropped again."""
        (root / "a" / "inner" / "moved").mkdir(parents=True)
        (root / "b" / "moved").mkdir(parents=True)
        for number in range(5000):
            (root / "b" / "moved" / f"f{number}").touch()
        outlet = Telling()
        with station(root, root.parent / "state", outlet) as made:
            made.synced()
            shutil.rmtree(root / "b" / "moved")
            (root / "a" / "inner" / "moved").rename(root / "b" / "moved")
            shutil.rmtree(root / "a")
            outlet.tell = lambda: made.pump.hint([Hint(b"a", Look.ENTRY)])
            made.reconcile()
            assert [] == made.mirror()
            assert outlet.told

    def test_replaced_by_another_type(self, made: Station, root: Path) -> None:
        """A full directory becomes a file, a file becomes a directory: other objects."""
        (root / "d" / "deep").mkdir(parents=True)
        (root / "d" / "deep" / "f").write_bytes(b"x")
        (root / "f").write_bytes(b"x")
        made.synced()
        shutil.rmtree(root / "d")
        (root / "d").write_bytes(b"now a file")
        (root / "f").unlink()
        (root / "f").mkdir()
        made.hint(b"d", b"f")
        assert [] == made.mirror()

    def test_a_full_directory_is_deleted_and_made_anew(self, made: Station, root: Path) -> None:
        """The same name and perhaps the same inode, another object."""
        (root / "d").mkdir()
        for number in range(1200):
            (root / "d" / f"f{number}").write_bytes(b"")
        made.synced()
        before = made.id_of(b"d")
        shutil.rmtree(root / "d")
        (root / "d").mkdir()
        (root / "d" / "only").write_bytes(b"1")
        made.hint(b"d", b"d/only")
        assert before != made.id_of(b"d")
        assert [] == made.mirror()
