"""A batch is full by what travels, by what it opens to, and by how much has to be rebuilt."""

from __future__ import annotations

import os

from agent.core.chunks import DATA, name_of
from agent.core.ids import NOTHING
from agent.core.patch import between
from agent.stream.messages import OPENED_TARGET, PATCHES_TARGET, Offer
from agent.stream.weights import check_opened, raw_weight
from fakes.idle import quick_load

MIB = 1 << 20


def test_what_packs_well_fills_a_batch_by_its_own_bytes() -> None:
    """A gigabyte of text that travels as a few kilobytes is still sent in pieces that the peer opens one by one."""
    load = quick_load()
    raw = bytes(MIB)
    counts = []
    for _ in range(12):
        load.chunk(DATA, name_of(raw), raw)
        if load.full:
            batch = load.take()
            check_opened(batch)
            counts.append(raw_weight(batch))
    assert [OPENED_TARGET] * 3 == counts


def test_rows_count_as_they_open() -> None:
    """Packed rows too."""
    load = quick_load()
    load.part(Offer(0, NOTHING, NOTHING, b"x", (), 1, OPENED_TARGET))
    assert load.full


def test_patches_are_counted() -> None:
    """However small: each is work."""
    load = quick_load()
    base = os.urandom(511) + b"y"
    raw = base[:-1] + b"x"
    for _ in range(PATCHES_TARGET):
        assert not load.full
        load.chunk(DATA, name_of(raw), raw, between(raw, name_of(base), base))
    assert load.full
