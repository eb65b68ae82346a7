"""Agents that find each other over wires: each pair of nodes can be parted, or one of both can be heard no more by the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import permutations

from fakes.agents import Fleet, fleet
from fakes.proxy import Proxy, Way, proxy


class Wires:
    """Of one fleet; ``proxies``: by who calls and who is called."""

    def __init__(self, proxies: dict[tuple[str, str], Proxy]) -> None:
        self._proxies = proxies
        self._mute: set[tuple[str, str]] = set()

    def part(self, one: str, other: str) -> None:
        """Neither reaches the other, and both are told so at once."""
        for ends in ((one, other), (other, one)):
            self._proxies[ends].refuse()

    def mute(self, speaker: str, hearer: str) -> None:
        """What the one says does not arrive at the other any more, and nobody is told; the way back is whole."""
        self._mute.add((speaker, hearer))
        self._hold()

    def heal(self) -> None:
        """All are whole again, and what hung is dialled anew."""
        self._mute.clear()
        self._hold()
        for one in self._proxies.values():
            one.refuse(False)

    def _hold(self) -> None:
        for (caller, called), one in self._proxies.items():
            ways: dict[Way, tuple[str, str]] = {"out": (caller, called), "back": (called, caller)}
            one.hold(*(way for way, ends in ways.items() if ends in self._mute))


@contextmanager
def wired(*names: str, extra: str = "") -> Iterator[tuple[Fleet, Wires]]:
    """A fleet (see ``agents.fleet``) whose nodes find each other over such wires; it does not run yet."""
    with fleet(*names, extra=extra) as made, ExitStack() as stack:
        proxies = {}
        for caller, called in permutations(names, 2):
            one = proxies[caller, called] = stack.enter_context(proxy(made[called].port))
            made.reach_through(caller, called, one.port)
        # First, so that nothing is carried any more when the wires go.
        for agent in made.agents:
            stack.callback(agent.kill)
        yield made, Wires(proxies)
