"""What a commit is about to change is in the vault before it is sealed, where the tree alone had it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.commit import Changes
from agent.core.errors import TryAgain
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId, commit_number
from agent.core.rows import encode_name, name_key, object_key
from agent.store.catalog.catalog import Header
from agent.store.vault.codec import pack_chunk
from agent.stream.messages import Hello, Seal, Welcome
from agent.stream.receiving.making import CommitMaker, Incoming
from agent.stream.receiving.presence import ChunksMissing, goes_on
from agent.stream.receiving.receiver import Receiver
from agent.stream.versions import SPOKEN
from fakes.stream_fakes import EPOCH, Secondary, directory_row, file_row

KEPT, CHANGED, GONE = map(ObjectId, (10, 11, 12))
DATA = {id: bytes([id]) * 100 for id in (KEPT, CHANGED, GONE)}
FIRST, SECOND = commit_number(1, 1), commit_number(1, 2)


def content(data: bytes) -> bytes:
    """The chunk list of a file of one chunk."""
    return chunks.encode([chunks.Chunk(chunks.DATA, len(data), chunks.name_of(data))])


class Tree:
    """``InTree``: a tree with three files of which the vault has none."""

    at_work = True

    def __init__(self, made: Secondary) -> None:
        self._vault = made.vault
        self.asked: list[ObjectId] = []

    def before(
        self, puts: Iterable[tuple[ObjectId, bytes]], drops: Iterable[ObjectId], look: Callable[[], None]
    ) -> Collection[ObjectId]:
        stay = set()
        for id, new in (*puts, *((id, b"") for id in drops)):
            if id in DATA and new == content(DATA[id]):
                stay.add(id)
            elif id in DATA:
                self.asked.append(id)
                data = DATA[id]
                self._vault.add([pack_chunk(chunks.name_of(data), chunks.DATA, data)], [data])
        return stay

    def holds(self, id: ObjectId, content: bytes) -> bool:
        return False


class Rig:
    """A standby with a first commit of three files, and what makes its second one."""

    def __init__(self, made: Secondary) -> None:
        self.secondary = made
        made.catalog.begin_epoch(EPOCH)
        puts = [directory_row(ROOT)]
        for id, data in DATA.items():
            puts += [file_row(id, content(data), len(data)), encode_name(ROOT, b"%d" % id, id)]
        made.catalog.write(Changes(puts), Header(FIRST, NOTHING, 1, 1, True))
        self.tree = Tree(made)
        self.maker = CommitMaker(replace(made.context, in_tree=self.tree), EPOCH.number, goes_on)
        self.incoming = Incoming(SECOND, FIRST)

    def sealed(self) -> None:
        """Seal what was staged."""
        catalog = self.secondary.catalog
        entries, size = catalog.staged_counts()
        digest = catalog.staged_digest()
        self.incoming.seal = Seal(SECOND, FIRST, 2, True, digest, entries, size, 0, 3)
        self.maker.finish(self.incoming, catalog.pack_end())


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Secondary(tmp_path / "beta")
    yield Rig(made)
    made.close()


def missing(made: Rig) -> set[ObjectId]:
    """Whose content no pack holds."""
    names = {chunks.name_of(data): id for id, data in DATA.items()}
    return {names[name] for name in made.secondary.vault.missing_in_packs(list(names))}


def test_what_changes_or_goes_is_copied_and_durable_with_the_seal(rig: Rig) -> None:
    """The seal's sync covers what was copied for it; a file that keeps its content is neither copied nor missed."""
    puts = [file_row(KEPT, content(DATA[KEPT]), 100, xattrs=((b"user.new", b"1"),)), file_row(CHANGED, b"", 0)]
    rig.maker.stage(rig.incoming, Changes(puts, [object_key(GONE), name_key(ROOT, b"%d" % GONE)]))
    rig.sealed()
    assert ({CHANGED, GONE}, {KEPT}) == (set(rig.tree.asked), missing(rig))
    newest = rig.secondary.catalog.newest()
    assert newest is not None
    assert (SECOND, rig.secondary.vault.sync()) == (newest.number, rig.secondary.catalog.pack_end())


def test_what_another_object_has_is_missed(rig: Rig) -> None:
    """Only what the same object has counts as present: of others nobody knows where they stand."""
    rig.maker.stage(rig.incoming, Changes([file_row(CHANGED, content(DATA[KEPT]), 100)]))
    with pytest.raises(ChunksMissing):
        rig.sealed()


def test_nothing_begins_anew_meanwhile(rig: Rig) -> None:
    """All of the tree would end with such a commit."""
    rig.maker.opened(CommitNumber(NOTHING))
    rig.maker.may_restart = True
    with pytest.raises(TryAgain, match="it goes on by itself"):
        rig.maker.begin_if_new(Incoming(SECOND, NOTHING))


@pytest.mark.parametrize("at_work", [False, True])
def test_patches_are_taken_of_what_is_in_the_packs(tmp_path: Path, at_work: bool) -> None:
    """While the tree alone has something each patch of that would end a call."""
    made = Secondary(tmp_path / "beta")
    tree = Tree(made)
    tree.at_work = at_work
    hello = Hello("alpha", "web", SPOKEN, EPOCH, NOTHING, b"n" * 32)
    answers = Receiver(hello, replace(made.context, in_tree=tree), lacking=False, asks_first=False).open()
    assert [not at_work] == [one.patches for one in answers if isinstance(one, Welcome)]
    made.close()
