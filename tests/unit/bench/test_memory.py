"""Memory that is held for a bench, a little of it."""

from __future__ import annotations

from bench.memory import Machine, Memory
from bench.sizes import MIB


def test_it_is_given_back_as_it_is_used() -> None:
    """Held until a little is left; then, when less is, some is given back; at the end all."""
    free = [300 * MIB]

    def meminfo(_key: str) -> int:
        return free[0] - 8 * MIB * len(held._held)

    held = Memory(True, Machine(8 * MIB, 256 * MIB, meminfo, lambda: False))
    held.ready()
    assert len(held._held) == 5
    assert held.available() == free[0]
    with held.given_back():
        free[0] -= 17 * MIB
        while len(held._held) != 3:
            assert held._held
    assert not held._held


def test_it_holds_nothing_where_it_is_not_to() -> None:
    """For a test, or in a control group that has less than the machine."""
    held = Memory(False)
    held.ready()
    assert not held._held
