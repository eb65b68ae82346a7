"""Where content is cut."""

from __future__ import annotations

import random

import pytest

from agent.chunking.cutter import COARSE, FINE, Cutter, first_cut, kept_cut, require_native
from agent.core.chunks import DATA, HOLE, Chunk
from agent.core.errors import ConfigError


def test_the_compiled_cutter_is_there() -> None:
    """It is checked, and its stand-in is refused with what to do."""
    require_native()
    with pytest.raises(ConfigError):
        require_native(type("FastCDC", (), {"__module__": "pyfastcdc.py.fastcdc"}))


@pytest.mark.parametrize("cut", [FINE, COARSE])
def test_lengths_stay_within_bounds(cut: object) -> None:
    """Only the last chunk may be short."""
    assert cut in (FINE, COARSE)
    bounds = FINE if cut is FINE else COARSE
    data = random.Random(1).randbytes(8 << 20)
    lengths = list(Cutter().lengths(memoryview(data), bounds))
    assert sum(lengths) == len(data)
    assert max(lengths) <= bounds.most
    assert min(lengths[:-1]) >= bounds.least


def test_the_choice_is_kept() -> None:
    """A file that was cut finely stays so when it grows past the limit, and the other way round."""
    fine = [Chunk(DATA, 80_000, b"n" * 32), Chunk(HOLE, 1 << 40)] * 4
    coarse = [Chunk(DATA, 300_000, b"n" * 32)] * 4
    assert (FINE, COARSE) == (first_cut(1 << 20), first_cut(1 << 30))
    assert FINE == kept_cut(iter(fine), 1 << 40)
    assert FINE == kept_cut(iter([Chunk(DATA, FINE.most, b"n" * 32)] * 2), 1 << 20)
    assert COARSE == kept_cut(iter(coarse), 1 << 20)
    assert COARSE == kept_cut(iter(fine[:2]), 1 << 30)
