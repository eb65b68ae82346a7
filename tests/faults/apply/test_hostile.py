"""Hostile rows and hostile neighbours: nothing outside the standby is touched, and it ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.core.ids import ROOT, ObjectId
from fakes.apply_fakes import Tree, rig


def test_a_lost_chunk_leaves_its_object_alone_and_the_rest_goes_on(tmpfs_dir: Path) -> None:
    """The commit is not applied until the chunk is there again."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = Tree.empty(it.store)
        old = tree.file(ROOT, b"old", b"old content")
        first = it.commit(tree)
        applier.converge(first, silent)
        tree.write(old, b"lost content")
        tree.file(ROOT, b"other", b"other content")
        commit = it.commit(tree)
        it.store.lost.add(it.store.keep(b"lost content"))
        done = applier.converge(commit, silent)
        assert (first.number, first.number, 1) == (done.number, applier.applied, done.failed)
        assert ("old content", "other content") == tuple((it.root / n).read_text() for n in ("old", "other"))
        assert ([b"old"], ["chunk-damaged"]) == ([p.path for p in it.board.listed()[0]], it.problems())
        it.store.lost.clear()
        assert commit.number == applier.converge(commit, silent).number
        assert (tree.expected(), []) == (it.seen(), it.problems())


def test_rows_that_no_filesystem_could_hold_are_left_out(tmpfs_dir: Path) -> None:
    """A circle of directories, a directory with two names, names in files and in nothing: reported, and the rest is right."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = Tree.empty(it.store)
        a, b = tree.directory(ROOT, b"a"), tree.directory(ROOT, b"b")
        tree.file(a, b"in a", b"a")
        file = tree.file(ROOT, b"file", b"content")
        applier.converge(it.commit(tree), silent)
        del tree.names[ROOT, b"a"], tree.names[ROOT, b"b"]
        tree.names |= {(a, b"x"): b, (b, b"x"): a}
        tree.names |= {(file, b"below a file"): file, (ObjectId(999), b"in nothing"): file}
        tree.names[ROOT, b"nothing"] = ObjectId(998)
        twice = tree.directory(ROOT, b"one name")
        tree.names[ROOT, b"zother name"] = twice
        tree.file(twice, b"inside", b"i")
        commit = it.commit(tree)
        done = applier.converge(commit, silent)
        assert {"impossible-row"} == set(it.problems()), it.board.listed()
        assert (commit.number, 0) == (done.number, done.failed)
        assert {b"", b"file", b"one name", b"one name/inside"} == set(it.seen())
        it.dies(applier)
        again = it.applier().converge(commit, silent)
        assert (commit.number, 0) == (again.number, again.failed)
        assert {b"", b"file", b"one name", b"one name/inside"} == set(it.seen())


def _swap_for_link(directory: Path, outside: Path) -> None:
    shutil.move(directory, directory.with_name("moved by them"))
    directory.symlink_to(outside)


VERBS: dict[str, Callable[[Tree, ObjectId], object]] = {
    "create": lambda tree, d: tree.file(d, b"new", b"new"),
    "mkdir": lambda tree, d: tree.directory(d, b"new"),
    "symlink": lambda tree, d: tree.add(d, b"new", 0o120777, content=b"/etc/passwd"),
    "fifo": lambda tree, d: tree.add(d, b"new", 0o010600),
    "unlink": lambda tree, d: tree.remove(d, b"victim"),
    "rewrite": lambda tree, d: tree.write(tree.names[d, b"victim"], b"rewritten"),
    "chmod": lambda tree, d: tree.alter(tree.names[d, b"victim"], mode=0o100777),
    "xattr": lambda tree, d: tree.alter(tree.names[d, b"victim"], xattrs=((b"user.x", b"1"),)),
    "times": lambda tree, d: tree.alter(tree.names[d, b"victim"], mtime=5),
    "rename into": lambda tree, d: tree.move((ROOT, b"other"), (d, b"new")),
    "rename out": lambda tree, d: tree.move((d, b"victim"), (ROOT, b"out")),
    "link": lambda tree, d: tree.link(d, b"new", tree.names[ROOT, b"other"]),
    "chmod directory": lambda tree, d: tree.alter(d, mode=0o040777),
    "rmdir": lambda tree, d: tree.remove(ROOT, b"d"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_directory_swapped_for_a_link_leads_nowhere(tmpfs_dir: Path, verb: str) -> None:
    """Before every single action of the run, or between two runs: nothing outside is created, changed or removed."""
    number, swapped = 0, True
    while swapped:
        base = tmpfs_dir / f"{number}"
        outside = base / "outside"
        with rig(base) as it:
            outside.mkdir()
            (outside / "victim").write_text("precious")
            tree = Tree.empty(it.store)
            d = tree.directory(ROOT, b"d")
            tree.file(d, b"victim", b"victim")
            tree.file(ROOT, b"other", b"other")
            it.applier().converge(it.commit(tree), silent)
            before = _facts(outside)
            calls = 0
            swapped = number == 0
            if swapped:
                _swap_for_link(it.root / "d", outside)

            def step(what: str) -> None:
                nonlocal calls, swapped
                calls += 1
                if calls == number and (it.root / "d").is_dir() and not (it.root / "d").is_symlink():  # noqa: B023
                    _swap_for_link(it.root / "d", outside)  # noqa: B023
                    swapped = True

            VERBS[verb](tree, d)
            it.applier(step).converge(it.commit(tree), silent)
            swapped = swapped or calls > number
            assert before == _facts(outside)
        number += 1


def _facts(outside: Path) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for path in (outside, *sorted(outside.rglob("*"))):
        st = path.lstat()
        xattrs = os.listxattr(path, follow_symlinks=False)
        found.append((path, st.st_mode, st.st_uid, st.st_mtime_ns, st.st_ctime_ns, st.st_nlink, xattrs))
    return found
