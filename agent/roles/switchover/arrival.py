"""How long a switchover waits until the node that is to take over has what was written: the application rests meanwhile. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArrivalLimits:
    """In seconds. ``arrives``: within which all of it is to be there; ``gone``: for which the node may be away meanwhile, longer
    than a call needs to be begun anew."""

    arrives: float = 120.0
    gone: float = 15.0


_AS_USUAL = ArrivalLimits()


class ArrivalWait:
    """One wait for the node ``to``; times are of one clock, seconds."""

    def __init__(self, to: str, begun: float, limits: ArrivalLimits = _AS_USUAL) -> None:
        self._to = to
        self._begun = begun
        self._limits = limits
        self._seen = begun

    def given_up(self, now: float, *, connected: bool) -> str:
        """Why it is not waited for any longer; "" while it is."""
        if connected:
            self._seen = now
        if now - self._seen >= self._limits.gone:
            return f"{self._to} has not been connected for {self._limits.gone:.0f} s"
        if now - self._begun >= self._limits.arrives:
            return f"{self._to} has not applied within {self._limits.arrives:.0f} s what was written"
        return ""
