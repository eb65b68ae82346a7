"""A commit is told durable when all that it relies on is: also what came another way than by this call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.clock import SystemClock
from agent.core.commit import Commit
from agent.core.dataset_kind import DatasetKind
from agent.core.ids import NOTHING, ROOT, CommitNumber, Epoch
from agent.store.catalog.catalog import Catalog
from agent.store.vault.codec import pack_chunk
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from agent.stream.messages import Hello, Offer, SecondaryPart
from agent.stream.position import PositionBoard
from agent.stream.receiving.making import ReceivingContext
from agent.stream.receiving.receiver import Receiver
from agent.stream.rows_blob import blobs_of
from agent.stream.sending.live import seal_of
from agent.stream.versions import SPOKEN
from fakes.apply_fakes import Rig, Tree, rig
from fakes.idle import quick_load

A, B = b"A" * 5000, b"B" * 5000


@dataclass
class Standing:
    """An adopted tree: what it was asked to keep is kept durably only after ``sync``."""

    held: set[bytes] = field(default_factory=set)
    relied: set[bytes] = field(default_factory=set)
    durable: set[bytes] = field(default_factory=set)

    def rely(self, names: Sequence[bytes]) -> set[bytes]:
        found = {name for name in names if name in self.held}
        self.relied |= found
        return found

    def sync(self) -> None:
        self.durable |= self.relied

    def chunk(self, name: bytes) -> bytes | None:
        return None

    def drop(self, names: Iterable[bytes]) -> None:
        return None


class Node:
    """A receiver, a vault that tells how often it was synced, and two commits of a primary, the first of which has come."""

    def __init__(self, base: Path, it: Rig) -> None:
        self.syncs = 0
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"a", A)
        self.one, old = it.commit(tree), tree.copy()
        tree.file(ROOT, b"b", B)
        self.two = it.commit(tree)
        self._second = old.changes_to(tree)
        self.vault = Vault.open(str(base / "vault"), PackEnd(0, 0), sync_file=self._sync)
        self.vault.elsewhere = self.standing = Standing()
        self.catalog = Catalog.open(str(base / "catalog.db"))
        self.board = PositionBoard()
        hello = Hello("alpha", "web", SPOKEN, Epoch(1, "alpha", bytes(16)), self.two.number, bytes(32))
        clock, kind = SystemClock(), DatasetKind.TREE
        context = ReceivingContext("beta", self.catalog, self.vault, self.board, clock, kind, None)
        self.receiver = Receiver(hello, context)
        self.receiver.open()
        load = quick_load()
        load.chunk(chunks.DATA, chunks.name_of(A), A)
        first = Tree(it.store).changes_to(old)
        for _, blob in blobs_of(first):
            load.part(Offer(0, self.one.number, NOTHING, blob, ()))
        load.part(seal_of(self.one, NOTHING, len(first)))
        self.receiver.handle(load.take())
        self.receiver.flush()

    def second(self) -> list[SecondaryPart]:
        """The second commit, whose chunk is only named."""
        load, two = quick_load(), self.two
        for _, blob in blobs_of(self._second):
            load.part(Offer(1, two.number, self.one.number, blob, ((chunks.DATA, chunks.name_of(B)),)))
        load.part(seal_of(two, self.one.number, len(self._second)))
        answers = self.receiver.handle(load.take())
        self.receiver.flush()
        return list(answers)

    @property
    def durable(self) -> CommitNumber:
        return self.board.position.durable

    def close(self) -> None:
        self.receiver.close()
        self.vault.close()
        self.catalog.close()

    def _sync(self, fd: int) -> None:
        self.syncs += 1


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with rig(tmp_path / "primary") as it:
        made = Node(tmp_path, it)
        yield made
        made.close()


def _number(commit: Commit) -> CommitNumber:
    return commit.number


def test_what_stands_in_an_adopted_tree_is_relied_on_durably_first(node: Node) -> None:
    """Although nothing came with the commit, and seeding goes on since long."""
    node.standing.held.add(chunks.name_of(B))
    node.second()
    assert (_number(node.two), {chunks.name_of(B)}) == (node.durable, node.standing.durable)


def test_what_another_thread_put_into_the_packs_is_synced_first(node: Node) -> None:
    """Seeding and mending add chunks too; a commit that finds one there waits until it is durable."""
    before = node.syncs
    node.vault.add([pack_chunk(chunks.name_of(B), chunks.DATA, B)], [B])
    node.second()
    assert (_number(node.two), before + 1) == (node.durable, node.syncs)
