"""A copy stands back while others need the host, and is back at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agent.capture.device.host_load import HostLoad
from agent.capture.device.yielding import HostUse, Yielding, YieldLimits, next_share

_LIMITS = YieldLimits()
_STEP = 0.01
_QUIET = HostUse(0.0, 0.0, 0.0)
_BUSY = HostUse(2.0, 0.0, 0.0)


@dataclass
class _Host:
    """Two processors. The copy takes ``copies`` of them while it is at work and ``trails`` seconds longer, others ``others``; if
    that is more than there are, somebody waits; always where it is ``crowded``. ``others_wait``: the share of time in which
    others wait for a disk."""

    others: float = 0.0
    copies: float = 1.5
    others_wait: float = 0.0
    copy_waits: float = 0.0
    trails: float = 0.0
    crowded: bool = False
    now: float = 100.0
    stalled: float = 0.0
    waited: float = 0.0
    used: float = 0.0
    worked: float = 0.0
    lost: float = 0.0
    _busy_until: float = 0.0

    def look(self) -> HostLoad:
        """See ``host_load``."""
        return HostLoad(self.now, self.stalled, self.waited, self.used)

    def pass_by(self, seconds: float, *, working: bool) -> None:
        """Time goes on."""
        if working:
            self._busy_until = self.now + seconds + self.trails
            self.worked += seconds
        trailing = min(seconds, max(0.0, self._busy_until - self.now))
        wanted = self.others + self.copies
        crowded = trailing if wanted > 2 else 0.0
        self.stalled += seconds if self.crowded else crowded
        self.lost += crowded * self.others * (1 - 2 / wanted)
        self.waited += max(trailing * self.copy_waits, seconds * self.others_wait)
        self.used += seconds * self.others - crowded * self.others * (1 - 2 / wanted)
        self.now += seconds

    def copy(self, yielding: Yielding, seconds: float) -> float:
        """Copy for so long; the part of the time in which it worked."""
        end, before = self.now + seconds, self.worked
        while self.now < end:
            pause = yielding.pause(self.now)
            self.pass_by(pause or _STEP, working=not pause)
        return (self.worked - before) / seconds


def _begun(host: _Host) -> Yielding:
    yielding = Yielding(host.look)
    yielding.begin(host.now)
    return yielding


@pytest.mark.parametrize("host", [_Host(), _Host(copies=2.5), _Host(copy_waits=1.0), _Host(copies=2.5, trails=0.1)])
def test_alone_it_goes_at_full_speed(host: _Host) -> None:
    """Whatever it makes itself wait for, and though what it began goes on for a moment."""
    assert host.copy(_begun(host), 60.0) > 0.9


def test_others_keep_nine_tenths() -> None:
    """Two programs that want both processors lose less than a tenth, from the beginning of the copy on."""
    host = _Host(others=2.0)
    part = host.copy(_begun(host), 60.0)
    assert 0 < part < 0.2
    assert host.lost < 0.1 * 2.0 * 60.0


def test_others_that_are_in_each_others_way() -> None:
    """A host on which somebody always waits: the copy keeps to its least part, since it would take from them."""
    host = _Host(others=4.0, crowded=True)
    assert 0 < host.copy(_begun(host), 60.0) < 0.13


def test_without_it_they_lose_more() -> None:
    """The same copy that does not stand back."""
    host = _Host(others=2.0)
    host.pass_by(60.0, working=True)
    assert host.lost > 0.3 * 2.0 * 60.0


def test_it_is_back_within_ten_seconds() -> None:
    """Others end: within ten seconds it works all the time."""
    host = _Host(others=2.0)
    yielding = _begun(host)
    host.copy(yielding, 60.0)
    host.others = 0.0
    host.copy(yielding, 10.0)
    assert 1.0 == yielding.share


def test_others_that_come_later() -> None:
    """In the middle of a copy; it stands back within some seconds."""
    host = _Host()
    yielding = _begun(host)
    host.copy(yielding, 30.0)
    host.others = 2.0
    host.copy(yielding, 8.0)
    assert yielding.share < 0.2


def test_who_waits_for_a_disk_is_stood_back_for() -> None:
    """Others that use no processor to speak of."""
    host = _Host(others=0.1, others_wait=0.6, copy_waits=1.0)
    assert host.copy(_begun(host), 60.0) < 0.2


def test_others_that_are_not_in_the_way_share() -> None:
    """A processor is free: the copy works for more than its least part."""
    host = _Host(others=1.0, copies=0.9, copy_waits=0.3)
    assert host.copy(_begun(host), 60.0) > 0.3


def test_a_short_copy_is_not_looked_at() -> None:
    """Its first seconds are at full speed, whoever is there."""
    host = _Host(others=2.0)
    assert pytest.approx(1.0) == host.copy(_begun(host), 2.9)


def test_a_host_that_does_not_tell() -> None:
    """Without pressure figures nobody stands back."""
    yielding = Yielding(lambda: None)
    yielding.begin(0.0)
    assert [0.0] * 100 == [yielding.pause(float(now)) for now in range(100)]


@pytest.mark.parametrize(
    ("share", "at_work", "paused", "expected"),
    [
        (0.05, _BUSY, _QUIET, 1.0),
        (1.0, _BUSY, _BUSY, _LIMITS.least),
        (0.4, HostUse(2.0, 0.5, 0.0), _BUSY, 0.2),
        (0.05, HostUse(2.0, 0.5, 0.0), _BUSY, _LIMITS.least),
        (0.2, _BUSY, _BUSY, pytest.approx(0.3)),
        (0.4, _BUSY, _BUSY, _LIMITS.most),
        (0.2, _QUIET, HostUse(0.0, 0.0, 0.5), 0.1),
        (0.2, HostUse(2.0, 1.0, 0.0), HostUse(2.0, 1.0, 0.0), 0.1),
    ],
)
def test_the_next_share(share: float, at_work: HostUse, paused: HostUse, expected: float) -> None:
    """All of it where nobody is there; the least at first; half where somebody waits because of it; more where nobody does."""
    assert expected == next_share(share, at_work, paused, _LIMITS)
