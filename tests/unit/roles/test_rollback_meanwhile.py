"""What somebody writes while a tree goes back is overwritten at no moment: it stays, or is in ``.hikae/displaced``."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.apply.output.directory import Handling, open_output
from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ObjectId, object_id
from agent.core.problem import ProblemBoard
from agent.core.rows import FLAG_APPEND, FLAG_IMMUTABLE
from agent.fs.confined import open_root, set_flags_fd
from agent.fs.file_leases import take_file_lease
from agent.roles.rollback.going_back import changed_since
from agent.roles.rollback.meanwhile import KeptChanges
from agent.store.local import Signature
from fakes.store_fakes import begun, expire, file_row, header, number

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may set these flags")


class Rig:
    """A tree that goes back, with the file ``log`` in it, of which capture noted what it is now. ``look``: done by somebody else
    between the moment that the file has no name any more and the looks at it."""

    def __init__(self, root: Path) -> None:
        self.root, self.log = root, root / "log"
        self.root.mkdir()
        self.log.write_text("noted\n")
        self.look: Callable[[], object] = lambda: None
        self.captured_later = False
        st = self.log.stat()
        self._noted: Signature = (ObjectId(7), b"", st.st_ino, st.st_ctime_ns, st.st_mtime_ns, st.st_size, 0)
        self._kept = KeptChanges(self._known, lambda id: self.captured_later and id == 7, ProblemBoard(), ManualClock())
        how = Handling("the tree", lambda _what: None, self._kept, str(root.parent))
        self.output = self._kept.output = open_output(str(root), open_root(str(root)), how)

    def close(self) -> None:
        """Give the descriptors back."""
        for path in (self.root, self.log):
            if path.exists():
                _flagged(path, 0)
        self.output.close()

    def replace(self) -> None:
        """Another file comes to its name."""
        (self.root / ".hikae/t/new").write_text("back")
        self.output.rename(self.output.temp, b"new", self.output.root, b"log", replace=True)

    def remove(self) -> None:
        """It goes."""
        self.output.unlink(self.output.root, b"log")

    def displaced(self) -> list[str]:
        """What is in ``.hikae/displaced``."""
        return sorted(path.read_text() for path in (self.root / ".hikae/displaced").iterdir())

    def stands(self) -> str | None:
        """What stands at the name."""
        return self.log.read_text() if self.log.exists() else None

    def _known(self, handle: bytes) -> Signature | None:
        look, self.look = self.look, lambda: None
        look()
        return self._noted


def _flagged(path: Path, flags: int) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        set_flags_fd(fd, flags)
    finally:
        os.close(fd)


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Rig]:
    """The tree."""
    with closing(Rig(tmp_path / "source")) as rig:
        yield rig


ACTS = pytest.mark.parametrize(
    ("act", "stands"), [(Rig.replace, "back"), (Rig.remove, None)], ids=["replaced", "removed"]
)


@ACTS
def test_what_is_as_noted_goes(it: Rig, act: Callable[[Rig], None], stands: str | None) -> None:
    """Nothing is displaced."""
    act(it)
    assert ([], stands) == (it.displaced(), it.stands())


@ACTS
def test_who_had_it_open_and_closes_it_loses_nothing(it: Rig, act: Callable[[Rig], None], stands: str | None) -> None:
    """Also where he writes between two looks."""
    with it.log.open("a") as file:

        def write() -> None:
            file.write("last\n")
            file.close()

        it.look = write
        act(it)
    assert (["noted\nlast\n"], stands) == (it.displaced(), it.stands())


@ACTS
def test_who_has_it_open_loses_nothing(it: Rig, act: Callable[[Rig], None], stands: str | None) -> None:
    """What he writes afterwards is there, too."""
    with it.log.open("a") as file:
        act(it)
        file.write("last\n")
    assert (["noted\nlast\n"], stands) == (it.displaced(), it.stands())


@ACTS
def test_who_has_a_write_lease_on_it_loses_nothing(it: Rig, act: Callable[[Rig], None], stands: str | None) -> None:
    """As Samba takes one for a client, which may have written what is on its way: the file cannot be opened without waiting."""
    opened = os.open(it.log, os.O_RDWR)
    take_file_lease(opened, fcntl.F_WRLCK)
    try:
        act(it)
    finally:
        os.close(opened)
    assert (["noted\n"], stands) == (it.displaced(), it.stands())


def test_what_is_made_at_its_name_stays(it: Rig) -> None:
    """He opens the name that is free for a moment: that is no more what was to go."""
    it.look = lambda: it.log.write_text("anew")
    it.remove()
    assert ([], "anew") == (it.displaced(), it.stands())


def test_what_is_made_at_a_name_that_is_wanted_is_displaced(it: Rig) -> None:
    """And what was wanted stands there."""
    it.look = lambda: it.log.write_text("anew")
    it.replace()
    assert (["anew"], "back") == (it.displaced(), it.stands())


@ACTS
def test_what_the_generation_from_before_lacks_is_displaced(
    it: Rig, act: Callable[[Rig], None], stands: str | None
) -> None:
    """It was captured after that was taken."""
    it.captured_later = True
    act(it)
    assert (["noted\n"], stands) == (it.displaced(), it.stands())


def test_a_look_leaves_nothing_behind(it: Rig) -> None:
    """Where an entry waits while it is looked at."""
    it.remove()
    assert "looked-at" not in os.listdir(it.root / ".hikae")


@needs_root
@ACTS
@pytest.mark.parametrize(
    ("where", "flags"), [("log", FLAG_APPEND), ("", FLAG_APPEND), ("", FLAG_IMMUTABLE)], ids=["log", "in", "fixed"]
)
def test_flags_keep_nobody_from_writing(
    it: Rig, act: Callable[[Rig], None], stands: str | None, where: str, flags: int
) -> None:
    """What may be appended to is appended to, and what stands in a directory that is append-only or immutable is written."""
    _flagged(it.root / where, flags)
    with it.log.open("a") as file:
        file.write("last\n")
    act(it)
    assert (["noted\nlast\n"], stands) == (it.displaced(), it.stands())


def test_who_makes_it_again_and_again_is_left_alone(it: Rig) -> None:
    """The name is given up, with what stands there: nothing of it is lost, and the run goes on."""
    made = 0

    def again() -> None:
        nonlocal made
        made += 1
        assert made < 1000, "it would go on for ever"
        it.log.write_text(str(made))
        it.look = again

    it.look = again
    with pytest.raises(FileExistsError):
        it.replace()
    assert str(made) == it.stands()
    assert made - 1 == len(it.displaced())


def test_what_was_captured_later_is_known_when_history_has_passed(tmp_path: Path) -> None:
    """A primary's catalog forgets the moment of the generation as soon as all have what came after."""
    same, other, made = (object_id(1, counter) for counter in (1, 2, 3))
    with begun(str(tmp_path / "catalog.db")) as catalog:
        catalog.write(Changes((file_row(same, 2), file_row(other, 2))), header(2))
        catalog.write(Changes((file_row(other, 3), file_row(made, 3))), header(3))
        expire(catalog, number(3))
        with closing(catalog.reader()) as view:
            changed = changed_since(view, number(2), number(3))
            assert [False, True, True] == [changed(id) for id in (same, other, made)]
            assert not changed_since(view, NOTHING, number(3))(other)
