"""Which directory is the standby, and is it still the same one? Nothing is written into any other (law 8)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from agent.apply.output.directory import (
    LOST_AND_FOUND,
    DirectoryOutput,
    Handling,
    Step,
    foreign_errors,
    open_output,
)
from agent.apply.ports import Adopted, LeftOut, LocalFacts
from agent.apply.results import Held
from agent.apply.standby.taken import TakenStandby, mark_in, mark_standby
from agent.core.problem_codes import STANDBY_GONE, STANDBY_NOT_EMPTY, STANDBY_PATH_MISSING, STANDBY_REPLACED
from agent.core.rows import PRIVATE_DIR
from agent.fs.confined import create_nameless, open_dir, open_root
from agent.fs.expected import BY_HANDLE, Expect
from agent.fs.handles import handle_and_mount, is_directory, mount_of_fd
from agent.fs.root import root_identity
from agent.fs.walk import entries, is_empty

_WHAT = "the standby"


@dataclass(frozen=True, slots=True)
class StandbyPlace:
    """Where a standby is, and how it is written into. ``dataset`` is written into our directory in it, so that it is known again
    when local facts are lost; ``scratch``: a directory for temporary files (None: the system's); ``adopt``: a root that is not
    empty may be taken over, with what is known of it in ``adopted``. ``step`` is called with a word before every change; tests
    end a run there, production lets others have a turn."""

    path: str
    dataset: str
    scratch: str | None
    step: Step
    adopt: bool
    adopted: Adopted
    left_out: LeftOut
    expect: Expect = BY_HANDLE
    make_nameless: Callable[[int], int] = create_nameless


class StandbyRoot(TakenStandby[DirectoryOutput]):
    """The standby's root path, its remembered identity, and its open output. For one thread. ``step``: the place's,
    or a wrap of it. ``found_again``: our directory was in it, and nothing in it is known by handle."""

    def __init__(self, place: StandbyPlace, local: LocalFacts, step: Step) -> None:
        super().__init__(place.path, local)
        self._place = place
        self._step = step
        self._full = False

    def open(self) -> DirectoryOutput:
        """The world, made sure to be ours: taken as new when it is empty.

        Raises ``Held``: "standby-path-missing", "standby-not-empty" (touched not at all), "standby-gone",
        "standby-replaced", "standby-unsafe". Each call looks again."""
        with foreign_errors(self.path, _WHAT):
            root = self._open_root()
            try:
                taken = self._is_ours(root)
            except BaseException:
                os.close(root)
                raise
        if taken and self._standing is not None:
            os.close(root)
            return self._standing
        self.close()
        place = self._place
        how = Handling(_WHAT, self._step, place.adopted, place.scratch, place.expect, place.make_nameless)
        world = self._standing = open_output(self.path, root, how)
        if not taken:
            self._take(world)
            self.fresh = not self.found_again and not self._full
        elif self._was_found_again:
            self.found_again = True
        self.opened = True
        return world

    def _open_root(self) -> int:
        try:
            return open_root(self.path)
        except (FileNotFoundError, NotADirectoryError):
            self.close()
        if self._identity:
            raise Held(
                STANDBY_GONE,
                self.path,
                f"the standby's directory {self.path} is gone",
                "if a filesystem of its own belongs there (/etc/fstab, mount units), mount it; only if none does, and it was "
                f"deleted: hikae resync {self._place.dataset} --standby (fills it from the vault, the store of every version)",
            )
        try:
            os.mkdir(self.path, 0o700)
            return open_root(self.path)
        except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
            reason = f"{self.path} cannot be created: {error.strerror}"
            raise Held(STANDBY_PATH_MISSING, self.path, reason, f"create {self.path}, or correct the path") from error

    def _is_ours(self, root: int) -> bool:
        """Whether we took it before; False when it may be taken now."""
        known = self._identity
        if known:
            if known == root_identity(root).encoded():
                return True
            self.close()
            raise Held(
                STANDBY_REPLACED,
                self.path,
                f"another directory stands at {self.path}, where the standby was; nothing was written into it",
                f"mount the standby's filesystem again; or, to take this one: hikae resync {self._place.dataset} --standby",
            )
        self.found_again = self._is_marked(root)
        self._full = not self.found_again and not is_vacant(root, self._place.left_out)
        if self._full and not self._place.adopt and not self._takes_all:
            raise Held(
                STANDBY_NOT_EMPTY,
                self.path,
                f"{self.path} is not empty; nothing in it was touched",
                "empty it, choose another path, or write adopt = true to take over what stands in it",
            )
        return False

    def _is_marked(self, root: int) -> bool:
        try:
            private = open_dir(root, PRIVATE_DIR)
        except OSError:
            return False
        try:
            is_own = os.fstat(private).st_uid == os.geteuid()
            return is_own and mark_in(private) == self._place.dataset.encode()
        finally:
            os.close(private)

    def _take(self, world: DirectoryOutput) -> None:
        with foreign_errors(self.path, _WHAT):
            mark_standby(world.private, self._place.dataset.encode())
            self._note_how(adopts=self._full)
            # Who relies on the mark later relies on it after power cuts too.
            world.sync()
            self._note_identity(root_identity(world.root).encoded())


def is_vacant(root: int, left_out: LeftOut) -> bool:
    """Whether nothing but our own directory, an untouched ``lost+found``, what is left out and what is mounted there stands in a
    directory."""
    mount = mount_of_fd(root)
    for name in entries(root):
        if name == PRIVATE_DIR or handle_and_mount(root, name)[1] != mount:
            continue
        if left_out(name, is_directory(root, name)):
            continue
        if name != LOST_AND_FOUND:
            return False
        try:
            inside = open_dir(root, name)
        except OSError:
            return False
        try:
            if not is_empty(inside):
                return False
        finally:
            os.close(inside)
    return True
