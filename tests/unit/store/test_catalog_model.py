"""The catalog against a plain dict: whatever is done, every moment answers what the dict would."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.core.chunks import DEVICE_CHUNK
from agent.core.commit import Changes
from agent.core.digest import digest_of
from agent.core.ids import NOTHING, ROOT, ChunkNumber, CommitNumber, commit_number, object_id
from agent.core.rows import (
    ObjectRow,
    chunk_key,
    decode_name,
    decode_object,
    encode_chunk,
    is_object,
    key_of,
    name_key,
    object_key,
    size_of,
)
from agent.store.catalog.catalog import Catalog, CatalogLimits, Header
from agent.store.vault.vault import PackEnd
from fakes.store_fakes import EPOCH, DictCatalog, dir_row, expire, file_row, flat, name_row

IDS = [object_id(1, counter) for counter in range(1, 7)]
LIMITS = CatalogLimits(staged=4)
NAMES = [b"a", b"b", b"\xff\n", b"d" * 255]

tree_rows = st.one_of(
    st.builds(file_row, st.sampled_from(IDS), st.integers(0, 3), st.sampled_from([b"", b"x"])),
    st.builds(dir_row, st.sampled_from([ROOT, *IDS]), st.integers(0, 2)),
    st.builds(name_row, st.sampled_from([ROOT, *IDS]), st.sampled_from(NAMES), st.sampled_from(IDS)),
)


CHUNKS = [ChunkNumber(number) for number in range(1, 6)]
device_rows = st.builds(
    encode_chunk, st.sampled_from(CHUNKS), st.sampled_from([512, DEVICE_CHUNK]), st.sampled_from([bytes(32), b"x" * 32])
)


class CatalogMachine(RuleBasedStateMachine):
    """Stages, seals, withdraws, restarts, reopens and prunes, and compares everything at every moment."""

    puts = tree_rows

    def __init__(self) -> None:
        super().__init__()
        shared = Path("/dev/shm")
        self.directory = tempfile.mkdtemp(prefix="hikae-test-", dir=shared if shared.is_dir() else None)
        self.path = f"{self.directory}/catalog.db"
        self.catalog = Catalog.open(self.path, LIMITS)
        self.reader = self.catalog.reader()
        self.model = DictCatalog()
        self.staged: CommitNumber | None = None
        self.restarted = False

    def teardown(self) -> None:
        self.reader.close()
        self.catalog.close()
        shutil.rmtree(self.directory)

    @initialize()
    def begin(self) -> None:
        """Epoch 1."""
        self.catalog.begin_epoch(EPOCH)

    @rule(data=st.data())
    def stage(self, data: st.DataObject) -> None:
        """Put rows and drop some that live, each key at most once a commit."""
        self._expect()
        rows = data.draw(st.lists(self.puts, max_size=6))
        fresh = {key_of(row): row for row in rows if key_of(row) not in self.model.staged_keys or self.restarted}
        if self.restarted:
            fresh = {key: row for key, row in fresh.items() if key not in self.model.staged}
        can_go = sorted(set(self.model.staged) - fresh.keys() - self.model.staged_keys)
        drops = data.draw(st.lists(st.sampled_from(can_go), unique=True, max_size=3)) if can_go else []
        assert self.staged is not None
        changes = Changes(tuple(fresh.values()), tuple(drops))
        self.catalog.stage(self.staged, changes)
        self.model.stage(changes)

    @precondition(lambda self: self.staged is None and self.model.newest != NOTHING)
    @rule()
    def restart(self) -> None:
        """The coming commit replaces everything."""
        self.staged = CommitNumber(self.model.newest + 1)
        self.restarted = True
        self.catalog.restart_from_nothing(self.staged)
        self.model.begin(restart=True)

    @rule()
    def seal(self) -> None:
        """Make it the newest, maybe empty."""
        self._expect()
        number = self.staged
        assert number is not None
        parent = NOTHING if self.restarted else self.model.newest
        digest = digest_of(self.model.staged.values())
        commit = self.catalog.seal(Header(number, parent, number, number, True, 0, digest), PackEnd(1, number))
        self.model.seal(number)
        self.staged, self.restarted = None, False
        assert digest == commit.digest
        assert self._counts(number) == (commit.entries, commit.bytes)

    @rule()
    def withdraw(self) -> None:
        """Take the coming commit back."""
        self.catalog.withdraw()
        self.staged, self.restarted = None, False

    @rule()
    def reopen(self) -> None:
        """Close and open: what was staged is gone."""
        self.reader.close()
        self.catalog.close()
        self.catalog = Catalog.open(self.path, LIMITS)
        self.reader = self.catalog.reader()
        self.staged, self.restarted = None, False

    @precondition(lambda self: self.staged is None and len(self.model.states) > 4)
    @rule()
    def prune(self) -> None:
        """Forget all but the three newest moments."""
        keep = sorted(self.model.states)[-3:]
        expire(self.catalog, keep[0], slice_rows=2)
        self.model.states = {number: self.model.states[number] for number in keep}

    @invariant()
    def same_at_every_moment(self) -> None:
        """Reader and writer give what the dict holds."""
        for number in self.model.states:
            if number != NOTHING:
                self._compare(number)

    @invariant()
    def same_between_any_two_moments(self) -> None:
        """Differences are net; touched is whole."""
        moments = sorted(self.model.states)
        for a in moments:
            for b in moments:
                got = flat(self.reader.difference(a, b, batch=2))
                assert self.model.difference(a, b) == {key: (old, new) for key, old, new in got}
                if a <= b:
                    keys = flat(self.reader.touched(a, b, batch=2))
                    assert self.model.touched_between(a, b) == set(keys)
                    assert len(keys) == len(set(keys))

    @invariant()
    def the_staged_digest_is_right(self) -> None:
        """The coming commit's digest and counts, from its rows."""
        expected = self.model.staged if self.staged is not None else self.model.states[self.model.newest]
        assert digest_of(expected.values()) == self.catalog.staged_digest()

    @invariant()
    def every_key_has_its_row(self) -> None:
        """A key of any kind, asked for at any moment."""
        keys = sorted({key for state in self.model.states.values() for key in state})
        for number in (one for one in self.model.states if one != NOTHING):
            assert [self.model.states[number].get(key) for key in keys] == [
                self.reader.row(key, number) for key in keys
            ]

    def _expect(self) -> None:
        if self.staged is None:
            self.staged = commit_number(1, 1) if self.model.newest == NOTHING else CommitNumber(self.model.newest + 1)
            self.model.begin()

    def _compare(self, number: CommitNumber) -> None:
        state = self.model.states[number]
        assert sorted(state.values()) == sorted(flat(self.reader.rows_at(number, batch=2)))
        names = [decode_name(row) for row in state.values() if not is_object(row)]
        for who in (self.reader, self.catalog):
            for id in (ROOT, *IDS):
                assert state.get(object_key(id)) == who.object(id, number)
                children = sorted((name.name, name.object) for name in names if name.parent == id)
                assert children == who.children(id, number)
                assert sorted((n.parent, n.name) for n in names if n.object == id) == who.names_of(id, number)
                for name in NAMES:
                    row = state.get(name_key(id, name))
                    assert (decode_name(row).object if row else None) == who.child(id, name, number)

    def _counts(self, number: CommitNumber) -> tuple[int, int]:
        rows = self.model.states[number].values()
        objects: list[ObjectRow] = [decode_object(row) for row in rows if is_object(row)]
        return len(rows) - len(objects), sum(row.size for row in objects)


class DeviceMachine(CatalogMachine):
    """The same of a device: rows of the third kind."""

    puts = device_rows

    def _compare(self, number: CommitNumber) -> None:
        state = self.model.states[number]
        in_order = [state[key] for key in sorted(state)]
        assert in_order == flat(self.reader.rows_at(number, batch=2))
        for who in (self.reader, self.catalog):
            assert [state.get(chunk_key(each)) for each in CHUNKS] == [who.chunk(each, number) for each in CHUNKS]
            assert (in_order[-1] if in_order else None) == who.last_chunk(number)

    @invariant()
    def chunks_are_what_may_be_rewritten(self) -> None:
        """Where a tree counts files, a device counts its chunks once more."""
        newest = self.catalog.newest()
        assert newest is None or newest.files == newest.entries

    def _counts(self, number: CommitNumber) -> tuple[int, int]:
        rows = self.model.states[number].values()
        return len(rows), sum(map(size_of, rows))


TestDeviceMachine = DeviceMachine.TestCase
TestDeviceMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestCatalogMachine = CatalogMachine.TestCase
TestCatalogMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
