"""How much may be under way, against links of every speed that are simulated."""

from __future__ import annotations

from collections import deque

import pytest

from agent.stream.sending.talk.window import BULK_SECONDS, LEAST, MOST_SECONDS, InFlight

MIB = 1 << 20


class Simulated:
    """A link of so many bytes a second, with a delay there and back; batches leave it in order."""

    def __init__(self, rate: float, delay: float) -> None:
        self.rate, self.delay = rate, delay
        self.window = InFlight()
        self.now = self._free_at = 0.0
        self._sent = self._done = 0
        self._answers: deque[tuple[float, int]] = deque()

    def send(self, size: int) -> float:
        """A batch goes out, once it may; for how long the link is busy then, in seconds."""
        while self._answers and self._sent + size - self._done > self.window.most():
            self.answer()
        self._sent += size
        self.window.sent(self.now, self._sent)
        self._free_at = max(self._free_at, self.now) + size / self.rate
        self._answers.append((self._free_at + self.delay, self._sent))
        return self._free_at - self.now

    def answer(self) -> None:
        """Time goes on to the next answer."""
        self.now, self._done = self._answers.popleft()
        self.window.worked_off(self.now, self._done)

    def rest(self, seconds: float) -> None:
        """Nothing is sent for so long, after all was answered."""
        while self._answers:
            self.answer()
        self.now += seconds

    def bulk(self, seconds: float) -> float:
        """As much as may go, in messages of the size that is asked for; the longest that the link was busy."""
        end, longest = self.now + seconds, 0.0
        while self.now < end:
            longest = max(longest, self.send(self.window.message(MIB)))
        return longest


@pytest.mark.parametrize("delay", [0.0005, 0.05, 0.3])
@pytest.mark.parametrize("rate", [32e3, 125e3, 1.25e6, 12.5e6, 1e9])
def test_the_rate_of_any_link_is_found(rate: float, delay: float) -> None:
    """Within seconds, to a tenth, however fast and however far."""
    link = Simulated(rate, delay)
    link.bulk(5)
    assert pytest.approx(rate, rel=0.1) == link.window.rate


@pytest.mark.parametrize("rate", [64e3, 125e3, 1.25e6])
def test_what_is_under_way_takes_two_seconds_at_most(rate: float) -> None:
    """And fills the link all the same: from the first batch on, in bulk, and once it has become ten times slower."""
    link = Simulated(rate, 0.05)
    assert link.bulk(20) <= MOST_SECONDS + LEAST / rate
    link.rate /= 10
    link.bulk(30)
    assert link.bulk(30) <= MOST_SECONDS * 1.2 + LEAST / link.rate


def test_first_bytes_that_go_at_once_do_not_make_a_slow_link_fast() -> None:
    """The kernel's bucket lets 16 KiB through at once: what is under way is there within two seconds all the same."""
    link = Simulated(1e9, 0.05)
    link.send(16 << 10)
    link.rate = 125e3
    assert link.bulk(20) <= MOST_SECONDS * 1.1


def test_who_says_the_same_again_makes_no_link_fast() -> None:
    """What goes out after that waits behind what went before: the time of both counts."""
    window = InFlight()
    window.sent(0.0, 100_000)
    window.worked_off(0.9, 0)
    window.sent(0.9, 100_006)
    window.worked_off(1.0, 100_000)
    window.worked_off(1.0, 100_006)
    assert pytest.approx(100_000, rel=0.01) == window.rate


def test_a_fast_link_is_filled_within_a_second() -> None:
    """However far it is."""
    link = Simulated(100e6, 0.1)
    link.bulk(1)
    assert link.window.most() >= 100e6 * 0.5


def test_small_changes_say_nothing_of_a_fast_link() -> None:
    """A kilobyte now and then does not make it slow, and after a rest it is as fast as before."""
    link = Simulated(100e6, 0.001)
    link.bulk(1)
    before = link.window.rate
    for _ in range(100):
        link.send(1000)
        link.rest(0.5)
    assert pytest.approx(before) == link.window.rate


def test_what_is_not_known_begins_small_and_grows_fast() -> None:
    """The least goes first; within ten answers a fast link has all that it can have."""
    link = Simulated(1e9, 0.0005)
    assert LEAST == link.window.bytes(BULK_SECONDS)
    for _ in range(10):
        while link.send(link.window.message(MIB)) and link._sent - link._done < link.window.bytes(BULK_SECONDS):
            pass
        link.answer()
    assert link.window.bytes(BULK_SECONDS) > 32 * MIB


def test_a_message_is_a_part_of_what_may_be_under_way() -> None:
    """Never more than asked for, and small on a slow link."""
    window = InFlight()
    assert LEAST > window.message(MIB)
    window.rate = 125e3
    assert 16_384 == window.message(MIB)
    window.rate = 1.25e6
    assert 156_250 == window.message(MIB)
    window.rate = 1e9
    assert MIB == window.message(MIB)
