"""All rows of a state laid over another one: the same state comes out as by a difference, and the past stays."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.chunks import DEVICE_CHUNK
from agent.core.commit import Changes
from agent.core.digest import digest_of
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ROOT, object_id
from agent.core.rows import encode_chunk, is_object, key_of
from agent.store.catalog import overlay
from agent.store.catalog.catalog import Catalog, Header
from fakes.store_fakes import EPOCH, dir_row, file_row, flat, name_row, number

IDS = [object_id(1, counter) for counter in range(1, 40)]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(str(tmp_path / "catalog.db")) as one:
        one.begin_epoch(EPOCH)
        yield one


def some_state(rng: random.Random) -> list[bytes]:
    """Random rows of a root with entries in several directories, in the order of their keys."""
    objects = [dir_row(ROOT), *(file_row(id, rng.randrange(3)) for id in sorted(rng.sample(IDS, rng.randrange(30))))]
    parents = [ROOT, *IDS[::7]]
    wanted = {(rng.choice(parents), b"%d" % rng.randrange(30)) for _ in range(rng.randrange(60))}
    return [*objects, *(name_row(parent, name, rng.choice(IDS)) for parent, name in sorted(wanted))]


def some_device(rng: random.Random) -> list[bytes]:
    """Random chunks of a device, in the order of their numbers."""
    numbers = sorted(rng.sample(range(1, 60), rng.randrange(1, 40)))
    return [encode_chunk(one, DEVICE_CHUNK, bytes([rng.randrange(3)]) * 32) for one in numbers]


def lay(catalog: Catalog, seq: int, rows: list[bytes], at_once: int = 7) -> tuple[list[bytes], list[bytes]]:
    """Take all rows as commit ``seq``: the rows that changed, and the keys that ended."""
    parent = catalog.newest()
    changed: list[bytes] = []
    gone: list[bytes] = []
    for at in range(0, max(1, len(rows)), at_once):
        part = rows[at : at + at_once]
        puts = [part[index] for index in catalog.lay(number(seq), part, gone.extend)]
        catalog.stage(number(seq), Changes(puts))
        changed += puts
    catalog.lay_rest()
    base = parent.number if parent else NOTHING
    catalog.seal(Header(number(seq), base, 5, 5, True, digest=digest_of(rows)), catalog.pack_end())
    return changed, gone


def state_at(catalog: Catalog, seq: int) -> list[bytes]:
    """Every row at a commit."""
    return flat(catalog.rows_at(number(seq)))


@pytest.mark.parametrize("some", [some_state, some_device])
def test_random_states(catalog: Catalog, rng: random.Random, some: Callable[[random.Random], list[bytes]]) -> None:
    """Only what differs is put, only what is not named ends, and every earlier moment is as it was."""
    states = [some(rng)]
    catalog.write(Changes(states[0]), Header(number(1), NOTHING, 5, 5, True))
    for seq in range(2, 40):
        old, new = {key_of(row): row for row in states[-1]}, some(rng)
        changed, gone = lay(catalog, seq, new, rng.randrange(1, 20))
        assert [row for row in new if old.get(key_of(row)) != row] == changed
        assert sorted(old.keys() - {key_of(row) for row in new}) == sorted(gone)
        states.append(new)
    for seq, state in enumerate(states, 1):
        assert state == state_at(catalog, seq)


def test_more_than_a_page_ends(catalog: Catalog) -> None:
    """A tree of which one file is left: rows that end are handed on a page at a time."""
    count = 3 * overlay._PAGE
    ids = [object_id(1, counter) for counter in range(1, count + 1)]
    before = [dir_row(ROOT), *map(file_row, ids), *(name_row(ROOT, b"%06d" % at, id) for at, id in enumerate(ids))]
    catalog.write(Changes(before), Header(number(1), NOTHING, 5, 5, True))
    after = [before[0], before[count], before[-1]]
    pages: list[int] = []
    catalog.lay(number(2), after, lambda keys: pages.append(len(keys)))
    catalog.lay_rest()
    assert (True, 2 * (count - 1)) == (max(pages) <= overlay._PAGE, sum(pages))
    assert digest_of(after) == catalog.staged_digest()


@pytest.mark.parametrize("rows", ["again", "backwards", "malformed", "none"])
def test_rows_that_are_no_whole(catalog: Catalog, rows: str) -> None:
    """Out of order, twice, cut short or none at all: refused, and nothing is staged."""
    state = [dir_row(ROOT), file_row(IDS[0]), name_row(ROOT, b"f", IDS[0])]
    catalog.write(Changes(state), Header(number(1), NOTHING, 5, 5, True))
    sent = {"again": [state[0], state[0]], "backwards": state[::-1], "malformed": [state[2][:9]], "none": []}[rows]
    with pytest.raises(WireError):
        lay(catalog, 2, sent, at_once=9)
    assert state == state_at(catalog, 1)
    assert ([], []) == lay(catalog, 2, state)


def test_a_withdrawn_whole_leaves_nothing(catalog: Catalog) -> None:
    """Half of the rows came; the next whole begins from its beginning."""
    state = [dir_row(ROOT), *map(file_row, IDS[:5])]
    catalog.write(Changes(state), Header(number(1), NOTHING, 5, 5, True))
    catalog.lay(number(2), [state[0], state[3]], lambda _: None)
    catalog.withdraw()
    assert ([], state) == (lay(catalog, 2, state)[1], [row for row in state_at(catalog, 2) if is_object(row)])
