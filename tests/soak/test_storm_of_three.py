"""The storm over two standbys: each agent is killed, each wire cut or slowed down, at random; at the end all three trees are
equal in everything.

`make test` runs a short one; `make soak PART=storms-of-three` runs twenty whole ones.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fakes.agents import UNBRAKED, Fleet, fleet
from fakes.proxy import Proxy, proxy
from fakes.storm import Storm

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
FIRST = int(os.environ.get("HIKAE_SOAK_FIRST", "1"))
WHOLE = {"operations": 10_000, "blows": 30}
SHARE = {"operations": 1_500, "blows": 6}
#: Bytes a second of a wire that is slowed down.
RATES = (200_000.0, 1_000_000.0, 5_000_000.0, None)


@contextmanager
def two_wires() -> Iterator[tuple[Fleet, list[Proxy]]]:
    """alpha, and a wire of its own to each of its standbys beta and gamma."""
    with (
        fleet("alpha", "beta", "gamma", extra=UNBRAKED) as three,
        proxy(three["beta"].port) as one,
        proxy(three["gamma"].port) as other,
    ):
        three.reach_through("alpha", "beta", one.port)
        three.reach_through("alpha", "gamma", other.port)
        yield three, [one, other]


class Blows:
    """What befalls a fleet, by chance."""

    def __init__(self, three: Fleet, wires: list[Proxy], choices: random.Random) -> None:
        self.done: dict[str, int] = {}
        self._three = three
        self._wires = wires
        self._choices = choices
        self._all: list[tuple[int, Callable[[], None]]] = [
            (4, self.kill),
            (3, self.cut),
            (2, self.cut_later),
            (4, self.throttle),
            (1, self.restart),
            (1, self.away),
            (2, self.wait),
        ]

    def strike(self) -> None:
        """One of them."""
        blow = self._choices.choices([one for _, one in self._all], [weight for weight, _ in self._all])[0]
        self.done[blow.__name__] = self.done.get(blow.__name__, 0) + 1
        blow()

    def kill(self) -> None:
        victim = self._choices.choice(self._three.agents)
        victim.kill()
        victim.start()

    def restart(self) -> None:
        victim = self._choices.choice(self._three.agents)
        if victim.process is None:
            victim.start()
        victim.up()
        victim.restart()

    def away(self) -> None:
        """A standby is down until the next blow that wakes it, or the end."""
        self._three[self._choices.choice(("beta", "gamma"))].kill()

    def cut(self) -> None:
        self._choices.choice(self._wires).cut()

    def cut_later(self) -> None:
        self._choices.choice(self._wires).cut_after(self._choices.randrange(1, 500_000))

    def throttle(self) -> None:
        self._choices.choice(self._wires).throttle(self._choices.choice(RATES))

    def wait(self) -> None:
        """All are well for once, and what was written until now arrives."""
        self.heal()
        self._three["alpha"].json("wait", "web", "--durable", "--timeout", "100", timeout=120)

    def heal(self) -> None:
        """Every wire is fast, every agent runs."""
        for wire in self._wires:
            wire.throttle(None)
        for agent in self._three.agents:
            if agent.process is None:
                agent.start()
            agent.up()


def _check(seed: int, operations: int, blows: int) -> None:
    print(f"storm of three, seed {seed}, {operations} operations, {blows} blows")
    with two_wires() as (three, wires):
        web = three.datasets["web"]
        storm = Storm(str(web.paths["alpha"]), seed)
        fate = Blows(three, wires, random.Random(seed * 7919 + 3))
        three.start()
        for _ in range(blows):
            storm.run(operations // (blows + 1))
            fate.strike()
        storm.run(operations // (blows + 1))
        fate.heal()
        three.settle()
        three.must_equal(web)
        digests = {agent.dataset()["commit"]["digest"] for agent in three.agents}
        assert 1 == len(digests)
        for name in web.standby:
            report = three[name].json("verify", "web", "--deep")
            assert ([], True) == (report["differences"], report["equal"])
        print(fate.done)
        assert sum(storm.done.values()) > operations * 0.6


@pytest.mark.timeout(300)
def test_a_short_storm_over_two_standbys() -> None:
    """The share of every `make test`: one seed, a new one each time, printed."""
    _check(int(os.environ.get("HIKAE_STORM_SEED", random.randrange(1_000_000))), **SHARE)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_a_whole_storm_over_two_standbys(seed: int) -> None:
    """`make soak`: 10,000 operations and 30 blows a seed."""
    _check(seed, **WHOLE)
