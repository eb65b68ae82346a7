"""How hard chunks are packed, by how fast the peer takes them."""

from __future__ import annotations

import random

from agent.core.chunks import DATA, name_of
from agent.store.vault.codec import open_chunk, pack_chunk
from agent.stream.messages import BATCH_TARGET, Data
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.talk.effort import QUICK, STEADY, THOROUGH, level

MB, BACKLOG = 1_000_000, 1 << 20


def test_the_slower_the_link_the_harder_it_is_packed() -> None:
    """Unknown rates and full speed cost no more than before."""
    rates = (0.0, 0.1 * MB, 2 * MB, 5 * MB, 12 * MB, 25 * MB, 500 * MB)
    assert [QUICK, THOROUGH, THOROUGH, STEADY, STEADY, QUICK, QUICK] == [level(rate, BACKLOG) for rate in rates]


def test_a_link_that_rests_is_not_slow() -> None:
    """Little was under way, so the low rate is that of whoever writes."""
    assert QUICK == level(0.1 * MB, 10_000)


def test_every_level_is_opened_alike() -> None:
    """And the load asks for it chunk by chunk, as the link's rate becomes known."""
    chance = random.Random(1)
    raw = b" ".join(chance.choices((b"def", b"return", b"self", b"None", b"import", b"for", b"in"), k=20_000))
    packed = [pack_chunk(name_of(raw), DATA, raw, each) for each in (QUICK, STEADY, THOROUGH)]
    assert [raw] * 3 == [open_chunk(each) for each in packed]
    assert len(packed[2].stored) < len(packed[0].stored)
    levels = iter((QUICK, THOROUGH))
    load = Load(lambda: next(levels), lambda: BATCH_TARGET)
    sizes = []
    for _ in range(2):
        load.chunk(DATA, name_of(raw), raw)
        (data,) = load.take()
        assert isinstance(data, Data)
        sizes.append(data.stored_lengths[0])
    assert [len(packed[0].stored), len(packed[2].stored)] == sizes
