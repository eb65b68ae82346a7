"""The last phase but one: empty ``.hikae/m``. What is still wanted goes where it belongs, the rest is removed."""

from __future__ import annotations

import os
import stat

from agent.apply.converge.fate import KnownBy
from agent.apply.converge.holding import hold
from agent.apply.converge.place import place
from agent.apply.converge.run import Attempt, Mirror
from agent.core.ids import ROOT, ObjectId
from agent.fs.confined import open_dir
from agent.fs.walk import entries, is_empty


def sweep(mirror: Mirror) -> None:
    """Directories of any depth are taken apart level by level: what is found inside moves up into ``.hikae/m`` first."""
    tried: set[ObjectId] = set()
    held = mirror.world.held
    while mirror.holding and not is_empty(held):
        before = mirror.tally.failed
        for name in entries(held, mirror.world.scratch):
            with Attempt(mirror, ROOT):
                _sweep_one(mirror, name, tried)
        if mirror.tally.failed > before:
            return
    mirror.holding = False


def _sweep_one(mirror: Mirror, name: bytes, tried: set[ObjectId]) -> None:
    id, real = _id_of(name)
    if real and id is not None and id not in tried and mirror.has_place(id):
        tried.add(id)
        for parent, wanted in mirror.view.names_of(id, mirror.at):
            place(mirror, parent, wanted, id, expect=True)
            if not mirror.is_held(id):
                return
    _remove(mirror, name, id, real=real)


def _id_of(name: bytes) -> tuple[ObjectId | None, bool]:
    """Which object it is or was taken for, and whether it can be that."""
    real = not name.startswith(b"x")
    try:
        return ObjectId(int(name.rpartition(b".")[2], 16)) or None, real
    except ValueError:
        return None, False


def _remove(mirror: Mirror, name: bytes, id: ObjectId | None, *, real: bool) -> None:
    world = mirror.world
    try:
        st = os.stat(name, dir_fd=world.held, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(st.st_mode):
        world.unlink(world.held, name)
        if id is not None:
            mirror.restore_flags(id)
        return
    if not world.rmdir(world.held, name):
        _take_apart(mirror, name, id)
        if not world.rmdir(world.held, name):
            return  # somebody is writing into it; the next round sees
    if real and id is not None and mirror.raw(id) is None:
        mirror.dirs.forget(id)
        mirror.ledger.forget(id)


def _take_apart(mirror: Mirror, name: bytes, id: ObjectId | None) -> None:
    fd = open_dir(mirror.world.held, name)
    try:
        for entry in entries(fd, mirror.world.scratch):
            _take_out(mirror, fd, id or ObjectId(0), entry)
    finally:
        os.close(fd)


def _take_out(mirror: Mirror, fd: int, parent: ObjectId, name: bytes) -> None:
    found = mirror.look(fd, parent, name)
    if found is None:
        return
    if found.identity is KnownBy.FOREIGN:
        mirror.displace(fd, parent, name)
    elif stat.S_ISDIR(found.st.st_mode) or (found.identity is KnownBy.SURE and _is_wanted(mirror, found.id)):
        assert found.id is not None
        hold(mirror, fd, name, found.id, found.handle)
    else:
        mirror.world.unlink(fd, name)


def _is_wanted(mirror: Mirror, id: ObjectId | None) -> bool:
    return id is not None and mirror.raw(id) is not None
