"""The last phase but one: empty ``.hikae/m``. What is still wanted goes where it belongs, the rest is removed."""

from __future__ import annotations

import os
import stat
from contextlib import nullcontext

from agent.apply.converge.held_entries import displace, hold
from agent.apply.converge.place import place
from agent.apply.converge.touched import restore_flags
from agent.apply.run.fate import KnownBy
from agent.apply.run.one_run import Attempt, Run
from agent.core.ids import ROOT, ObjectId
from agent.fs.confined import open_dir
from agent.fs.walk import entries, is_empty


def sweep(run: Run) -> None:
    """Directories of any depth are taken apart level by level: what is found inside moves up into ``.hikae/m`` first."""
    tried: set[ObjectId] = set()
    held = run.output.held
    while run.standing.holding and not is_empty(held):
        before = run.tally.failed
        for name in entries(held, run.output.scratch):
            with Attempt(run, ROOT):
                _sweep_one(run, name, tried)
        if run.tally.failed > before:
            return
    run.standing.holding = False


def _sweep_one(run: Run, name: bytes, tried: set[ObjectId]) -> None:
    id, real = _id_of(name)
    if real and id is not None and id not in tried and run.wanted.has_place(id):
        tried.add(id)
        for parent, wanted in run.wanted.view.names_of(id, run.wanted.at):
            place(run, parent, wanted, id, expect=True)
            if not run.standing.is_held(id):
                return
    _remove(run, name, id, real=real)


def _id_of(name: bytes) -> tuple[ObjectId | None, bool]:
    """Which object it is or was taken for, and whether it can be that."""
    real = not name.startswith(b"x")
    try:
        return ObjectId(int(name.rpartition(b".")[2], 16)) or None, real
    except ValueError:
        return None, False


def _remove(run: Run, name: bytes, id: ObjectId | None, *, real: bool) -> None:
    world = run.output
    try:
        st = os.stat(name, dir_fd=world.held, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(st.st_mode):
        world.unlink(world.held, name)
        if id is not None:
            restore_flags(run, id)
        return
    if not world.rmdir(world.held, name):
        with nullcontext() if real or id is None else run.standing.as_taken(id):
            _take_apart(run, name, id)
        if not world.rmdir(world.held, name):
            return  # somebody is writing into it; the next round sees
    if real and id is not None and run.wanted.raw(id) is None:
        run.standing.dirs.forget(id)
        run.standing.ledger.forget(id)


def _take_apart(run: Run, name: bytes, id: ObjectId | None) -> None:
    fd = open_dir(run.output.held, name)
    try:
        for entry in entries(fd, run.output.scratch):
            _take_out(run, fd, id or ObjectId(0), entry)
    finally:
        os.close(fd)


def _take_out(run: Run, fd: int, parent: ObjectId, name: bytes) -> None:
    found = run.standing.look(fd, parent, name)
    if found is None:
        return
    if found.identity is KnownBy.FOREIGN:
        displace(run, fd, parent, name)
    elif stat.S_ISDIR(found.st.st_mode) or (found.identity is KnownBy.SURE and _is_wanted(run, found.id)):
        assert found.id is not None
        hold(run, fd, name, found.id, found.handle)
    else:
        run.output.unlink(fd, name)


def _is_wanted(run: Run, id: ObjectId | None) -> bool:
    return id is not None and run.wanted.raw(id) is not None
