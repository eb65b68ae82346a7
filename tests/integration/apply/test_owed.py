"""Files that were sealed without all of their content: their last version stands, or nothing, and all else goes on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.results import silent
from agent.core.chunks import DATA, decode
from agent.core.commit import Commit
from agent.core.ids import ROOT, ObjectId
from fakes.apply_fakes import Chance, Rig, Tree, rig


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


class Standing:
    """A standby of three files, one of two names, at which commits arrive short."""

    def __init__(self, it: Rig) -> None:
        self.it = it
        self.tree = Tree.empty(it.store)
        self.file = self.tree.file(ROOT, b"file", b"one")
        self.linked = self.tree.file(ROOT, b"linked", b"two")
        self.tree.link(ROOT, b"other", self.linked)
        self.still = self.tree.file(ROOT, b"still", b"three")
        self.applier = it.applier()
        self.applies(it.commit(self.tree))

    def applies(self, commit: Commit) -> None:
        """All of it, without a complaint."""
        done = self.applier.converge(commit, silent)
        assert (commit.number, 0, 0) == (done.number, done.failed, done.displaced)
        assert [] == self.it.problems()

    def short(self, *owed: ObjectId) -> Commit:
        """Commit the tree; of these objects nothing comes."""
        for id in owed:
            self.it.store.lost.update(
                entry.name for entry in decode(self.tree.objects[id].content) if entry.kind == DATA
            )
        commit = self.it.commit_short(self.tree, *owed)
        self.applies(commit)
        return commit

    def comes(self, *owed: ObjectId) -> None:
        """What they lacked is here now, and the standby equals the newest commit."""
        self.it.store.lost.clear()
        self.it.catalog.came(owed)
        newest = self.it.catalog.newest()
        assert newest is not None
        self.applies(newest)
        assert not self.applier.is_short
        assert self.tree.expected() == self.it.seen()

    def reads(self, name: str) -> bytes | None:
        path = self.it.root / name
        return path.read_bytes() if path.exists() else None


def test_the_last_version_stands_or_nothing_and_the_rest_goes_on(it: Rig) -> None:
    """Metadata too is that of the version that stands; what comes is made at once, without a commit."""
    one = Standing(it)
    before = it.seen()[b"file"]
    one.tree.write(one.file, b"new")
    one.tree.alter(one.file, mode=0o100600)
    one.tree.write(one.still, b"goes on")
    fresh = one.tree.file(ROOT, b"fresh", b"never seen")
    one.short(one.file, fresh)
    assert (before, None, b"goes on") == (it.seen()[b"file"], one.reads("fresh"), one.reads("still"))
    one.comes(one.file, fresh)


def test_names_of_what_is_owed_go_on(it: Rig) -> None:
    """Renames, new links and removals of a name, while the object stands as it did."""
    one = Standing(it)
    one.tree.write(one.linked, b"two, changed")
    one.tree.remove(ROOT, b"other")
    one.tree.link(ROOT, b"third", one.linked)
    one.tree.move((ROOT, b"linked"), (ROOT, b"moved"))
    one.short(one.linked)
    assert (b"two", b"two", None, None) == tuple(map(one.reads, ("moved", "third", "other", "linked")))
    one.comes(one.linked)


@pytest.mark.parametrize("how", ["deleted", "written", "replaced", "moved"])
def test_what_becomes_of_it_while_it_is_owed(it: Rig, how: str) -> None:
    """It is deleted, written anew, replaced by another, or moved into a new directory; later commits are whole."""
    one = Standing(it)
    one.tree.write(one.file, b"lost version")
    fresh = one.tree.file(ROOT, b"fresh", b"never seen")
    one.short(one.file, fresh)
    owed = [one.file, fresh] if how == "moved" else []
    for id, name in ((one.file, b"file"), (fresh, b"fresh")):
        if how == "deleted":
            one.tree.remove(ROOT, name)
        elif how == "written":
            one.tree.write(id, b"a whole version")
        elif how == "replaced":
            one.tree.file(ROOT, name, b"another")
        else:
            one.tree.move((ROOT, name), (one.tree.directory(ROOT, b"d" + name), name))
    one.short(*owed)
    one.comes(*owed)


def test_a_restart_knows_what_is_short(it: Rig) -> None:
    """Cleanly ended or not: what is owed is believed in nothing, and made when it comes."""
    one = Standing(it)
    one.tree.write(one.file, b"new")
    one.short(one.file)
    one.applier.close()
    one.applier = it.applier()
    assert one.applier.is_short
    it.dies(one.applier)
    one.applier = it.applier()
    one.tree.write(one.still, b"four")
    one.short(one.file)
    it.dies(one.applier)
    one.applier = it.applier()
    one.comes(one.file)


def test_verify_names_what_is_owed_and_calls_it_no_difference(it: Rig) -> None:
    """Nor equal without a word: it is counted, with its paths; a repair leaves it as it stands."""
    one = Standing(it)
    one.tree.write(one.file, b"new")
    fresh = one.tree.file(ROOT, b"fresh", b"never seen")
    one.short(one.file, fresh)
    report = one.applier.verify(deep=True)
    assert (True, (), 2, (b"file", b"fresh")) == (report.equal, report.differences, report.owed, report.owed_paths)
    (it.root / "still").write_bytes(b"meddled")
    mended = one.applier.verify(deep=True, repair=True)
    assert (True, 2, b"one", None) == (mended.equal, mended.owed, one.reads("file"), one.reads("fresh"))
    one.comes(one.file, fresh)


def test_a_list_that_lacks_itself(it: Rig) -> None:
    """Nobody may even know what the file consists of: it is left as it stands, also by a run that believes nothing."""
    one = Standing(it)
    one.tree.write(one.file, *[bytes([n % 251, n // 251]) for n in range(1500)])
    lists = [entry.name for entry in decode(one.tree.objects[one.file].content) if entry.kind != DATA]
    it.store.lost.update(lists)
    one.applies(it.commit_short(one.tree, one.file))
    it.dies(one.applier)
    one.applier = it.applier()
    one.tree.write(one.still, b"goes on")
    one.applies(it.commit(one.tree))
    assert (True, b"one", b"goes on") == (bool(lists), one.reads("file"), one.reads("still"))
    one.comes(one.file)


def test_random_histories_that_come_short(it: Rig) -> None:
    """Whatever is owed in between, at the end both are equal."""
    rng = random.Random(7)
    chance, tree = Chance(rng), Tree.empty(it.store)
    applier: Applier = it.applier()
    owed: set[ObjectId] = set()
    for turn in range(40):
        was = tree.copy()
        tree = chance.evolve(tree, 6)
        new = [
            id
            for id, row in tree.objects.items()
            if row.content != (was.objects[id].content if id in was.objects else b"")
        ]
        files = [id for id in new if tree.objects[id].kind == 0o100000 and tree.objects[id].size]
        short = {id for id in files if rng.random() < 0.4}
        owed = {id for id in owed if id in tree.objects and (id not in new or id in short)} | short
        changed = {id for id in tree.objects if was.objects.get(id) != tree.objects[id]}
        done = applier.converge(it.commit_short(tree, *sorted(owed & changed)), silent)
        assert (0, []) == (done.failed, it.problems())
        if turn % 10 == 9:
            it.dies(applier)
            applier = it.applier()
    it.catalog.came(it.catalog.owed())
    newest = it.catalog.newest()
    assert newest is not None
    assert 0 == applier.converge(newest, silent).failed
    assert tree.expected() == it.seen()
