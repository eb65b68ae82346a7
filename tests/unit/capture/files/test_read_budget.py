"""How often a changed file is read again."""

from __future__ import annotations

from agent.capture.files.read_budget import Spared
from agent.core.ids import ROOT

MB = 1_000_000
ONE, OTHER = (ROOT, b"one"), (ROOT, b"other")


def test_a_file_that_rested_is_read_at_once() -> None:
    """Then not before as many seconds as its bytes take at the rate; later it has rested again."""
    spared = Spared(20 * MB)
    assert spared.due(ONE) == 0.0
    spared.read(ONE, 60 * MB, 100.0)
    assert (103.0, 0.0) == (spared.due(ONE), spared.due(OTHER))
    spared.read(ONE, 60 * MB, 200.0)
    assert 203.0 == spared.due(ONE)


def test_files_that_change_all_the_time_share_the_rate() -> None:
    """Five of different sizes, each read as soon as it may be: together no more than the rate, and none starves."""
    spared, sizes = Spared(20 * MB), {(ROOT, b"%d" % n): size * MB for n, size in enumerate((2, 5, 20, 64, 64))}
    read = dict.fromkeys(sizes, 0)
    for step in range(20_000):
        now = 1.0 + step / 100
        for name, size in sizes.items():
            if spared.due(name) <= now:
                spared.read(name, size, now)
                read[name] += size
    assert sum(read.values()) <= 1.1 * 20 * MB * 200 + sum(sizes.values())
    assert all(read[name] >= 2 * size for name, size in sizes.items())


def test_what_is_remembered_is_bounded() -> None:
    """However many files change."""
    spared = Spared(1.0)
    for number in range(20_000):
        spared.read((ROOT, b"%d" % number), 10**6, 1.0)
    assert 0.0 == spared.due((ROOT, b"0"))
    assert spared.due((ROOT, b"19999")) > 0
