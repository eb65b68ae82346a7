"""Three nodes, an operator, a network and disks that fail: the real decisions about roles never let two nodes write in one epoch,
nor one below an epoch that it knows, and every state has a way out."""

from __future__ import annotations

import os
from dataclasses import fields, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from agent.stream.guards import EVERY_GUARD, RoleGuards
from fakes.role_world import DOINGS, MustNotBe, RoleWorld

#: What `make soak PART=model` asks for; without it, a share.
SOAK = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
STEPS = 2_000_000 if SOAK else 20_000
#: In one world, until an operator leads it out.
_A_LIFE = 200
#: So many steps at most until a guard that is gone is missed.
_MISSED_WITHIN = 20_000_000
#: Those whose loss shows soon enough for each run of the tests.
_SOON = ("own_reign", "higher_fences", "same_id", "owner_speaks", "confirmed", "ahead_stays", "same_state")
GUARDS = [one.name for one in fields(RoleGuards)]


class RoleMachine(RuleBasedStateMachine):
    """Any doing in any order; a failure is told as the shortest way to it."""

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.world = RoleWorld(seed)

    @rule(doing=st.sampled_from(DOINGS))
    def does(self, doing: str) -> None:
        self.world.do(doing)

    @rule(steps=st.integers(1, 20))
    def goes_on(self, steps: int) -> None:
        for _ in range(steps):
            self.world.act()

    @invariant()
    def nobody_believes_in_what_never_was(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.comes_out()


def test_any_order_of_things() -> None:
    """Hypothesis looks for an order that must not be, and tells the shortest."""
    profile = settings(max_examples=60, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(RoleMachine, settings=profile)


def _lived(seed: int, guards: RoleGuards) -> int:
    """A life of one world, and a way out of where it ends; the steps taken. Raises ``MustNotBe``."""
    world = RoleWorld(seed, guards)
    try:
        for _ in range(_A_LIFE):
            world.act()
        world.comes_out()
    except MustNotBe as found:
        raise MustNotBe(f"seed {seed}: {found}\n" + "\n".join(world.told)) from found
    return _A_LIFE


def _lives(steps: int, guards: RoleGuards) -> None:
    for seed in range(steps // _A_LIFE):
        _lived(seed, guards)


def test_many_lives_of_three_nodes() -> None:
    """At random, with every guard in force."""
    print(f"{STEPS:,} steps, seeds from 0")
    _lives(STEPS, EVERY_GUARD)


def _told_by(seed: int, clocks: int | None) -> list[str]:
    world = RoleWorld(seed, EVERY_GUARD, clocks)
    for _ in range(_A_LIFE):
        world.act()
    return world.told


def test_no_clock_decides_anything() -> None:
    """The same lives come to the same whatever the nodes' clocks show, a day apart or set back in the middle."""
    for seed in range(20):
        assert _told_by(seed, None) == _told_by(seed, seed)


@pytest.mark.parametrize("name", GUARDS if SOAK else _SOON)
def test_a_guard_that_is_gone_is_missed(name: str) -> None:
    """Without it the same world comes to a state that must not be."""
    without = replace(EVERY_GUARD, **{name: False})
    with pytest.raises(MustNotBe) as found:
        _lives(_MISSED_WITHIN, without)
    print(f"without {name}: {str(found.value).splitlines()[0]}")
