"""Mappings that remember what came last: bounded by how much they hold, the oldest goes first (law 9)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


# Dictionaries, not around one: who looks something up pays for no call of ours.
class RecentMap(OrderedDict[Key, Value]):
    """At most ``most`` values, the oldest first; new ones come by :meth:`remember`. Not thread-safe."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def remember(self, key: Key, value: Value) -> None:
        """This is the newest now; the oldest goes where there are too many."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


class WeighedMap(OrderedDict[Key, Value]):
    """At most ``most`` values that weigh at most ``heaviest`` together, the oldest first. ``weigh``: what one weighs. Only
    :meth:`remember`, :meth:`forget` and :meth:`forget_all` change it. Not thread-safe."""

    def __init__(self, most: int, heaviest: int, weigh: Callable[[Value], int]) -> None:
        super().__init__()
        self._most = most
        self._heaviest = heaviest
        self._weigh = weigh
        #: Of all values.
        self.weight = 0

    def remember(self, key: Key, value: Value) -> None:
        """This is the newest now; the oldest go where there are too many, this one too if it is too heavy alone."""
        self.forget(key)
        self[key] = value
        self.weight += self._weigh(value)
        while self and (len(self) > self._most or self.weight > self._heaviest):
            self.weight -= self._weigh(self.popitem(last=False)[1])

    def forget(self, key: Key) -> None:
        """Nothing is known under this key."""
        if key in self:
            self.weight -= self._weigh(self.pop(key))

    def forget_all(self) -> None:
        """Nothing is known."""
        self.clear()
        self.weight = 0
