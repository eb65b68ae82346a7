"""Files that the primary cannot read and a peer lacks: all else goes on, and what lacks is owed until it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.capture.outlet import Lack
from agent.core.chunks import DATA, ChunkRef, decode, name_of
from agent.core.clock import ManualClock
from agent.core.errors import WireError
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import decode_object
from agent.stream.messages import OBJECTS_MAX, Absent, AskOwed, Batch, Need, Offer, Owing
from agent.stream.sending.owed_by_peer import Absences, OwedContent
from agent.stream.sending.talk.unanswered import Unanswered
from agent.stream.sending.talk.under_way import UnderWay
from agent.stream.weights import weight
from fakes.hostile import BASE, FILE, ONE, A, data, offer, opened, refused, seal, take
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import CHUNK, Call, Primary, Secondary, noise

LARGE = 1500 * CHUNK


class Pair:
    """A call to a peer for which ``unreadable`` cannot be read."""

    def __init__(self, primary: Primary, secondary: Secondary, *unreadable: bytes) -> None:
        self.primary, self.secondary = primary, secondary
        primary.unreadable = {primary.names[name] for name in unreadable}
        self.call = Call(primary, MemoryTransport(secondary))

    def until(self, what: Callable[[], bool]) -> None:
        """Wait for it, while time goes on and something may have become readable."""
        for _ in range(20_000):
            if what():
                return
            self.primary.clock.advance(0.01)
            self.primary.feed.looked()
            if self.call.sender.talk.watch(0.001):
                break
        raise AssertionError(self.call.failure)

    def told(self, *paths: bytes) -> Callable[[], bool]:
        """Whether the primary was told last that just these are owed."""
        return lambda: self.primary.owed[-1:] == [(len(paths), list(paths))]

    def owed(self) -> list[ObjectId]:
        """What the peer owes, as its catalog says to others."""
        with self.secondary.catalog.reader() as reader:
            return reader.owed()

    def is_equal(self) -> bool:
        """Whether the peer has our newest commit."""
        newest = self.primary.catalog.newest()
        assert newest is not None
        return newest.digest == self.secondary.digest()

    def lacks(self, *some: bytes) -> list[bytes]:
        """Which of these chunks its vault does not hold."""
        missing = self.secondary.vault.missing([name_of(one) for one in some])
        return [one for one in some if name_of(one) in missing]

    def stop(self) -> None:
        """Nothing went wrong."""
        self.call.stop()
        assert self.call.failure is None


@pytest.fixture
def paired(primary: Primary, secondary: Secondary) -> Iterator[Callable[..., Pair]]:
    made: list[Pair] = []

    def pair(*unreadable: bytes) -> Pair:
        made.append(Pair(primary, secondary, *unreadable))
        return made[-1]

    yield pair
    for one in made:
        one.stop()


ONES, TWOS, THREES, FIVES = (bytes([digit]) * CHUNK for digit in b"1235")


def test_a_new_peer_gets_all_but_what_cannot_be_read(primary: Primary, paired: Callable[..., Pair]) -> None:
    """Its commit is the primary's; the one file is named there, and comes as soon as it can be read."""
    primary.write((b"a", ONES), (b"b", TWOS + THREES), (b"c", b"4"))
    pair = paired(b"b")
    pair.until(pair.told(b"b"))
    assert (True, [primary.names[b"b"]]) == (pair.is_equal(), pair.owed())
    assert [TWOS, THREES] == pair.lacks(ONES, TWOS, THREES, b"4")
    primary.unreadable.clear()
    pair.until(pair.told())
    assert ([], []) == (pair.owed(), pair.lacks(TWOS, THREES))


def test_what_is_owed_outlives_restarts_and_live_commits(
    primary: Primary, secondary: Secondary, paired: Callable[..., Pair]
) -> None:
    """Of a new version of an owed file only what the peer lacks is owed; nothing comes as a patch of what it lacks."""
    primary.patching = True
    primary.write((b"a", ONES), (b"b", TWOS + THREES))
    pair = paired(b"b")
    pair.until(pair.told(b"b"))
    primary.write((b"b", TWOS + FIVES), (b"c", b"6"))
    pair.until(pair.is_equal)
    assert ([primary.names[b"b"]], [TWOS]) == (pair.owed(), pair.lacks(TWOS, FIVES, b"6"))
    pair.stop()
    secondary.close()
    secondary.open()
    assert (1, [primary.names[b"b"]]) == (secondary.catalog.owing, secondary.catalog.owed())
    primary.owed.clear()
    again = paired(b"b")
    again.until(again.told(b"b"))


def test_what_is_deleted_or_written_anew_is_owed_no_more(primary: Primary, paired: Callable[..., Pair]) -> None:
    """The moments at which it was owed stay known."""
    first = primary.write((b"a", b"1"), (b"b", TWOS), (b"c", THREES))
    pair = paired(b"b", b"c")
    pair.until(pair.told(b"b", b"c"))
    primary.unreadable.clear()
    primary.remove(b"b")
    primary.write((b"c", FIVES))
    pair.until(pair.told())
    with pair.secondary.catalog.reader() as reader:
        assert (True, 0) == (reader.owed_count(first.number) <= 2, reader.owed_count())


def test_a_copy_that_can_be_read_makes_both_whole(primary: Primary, paired: Callable[..., Pair]) -> None:
    """A chunk is asked for once; that another file names it too is found, and comes from there."""
    primary.write((b"a", ONES + ONES), (b"b", ONES))
    pair = paired(b"a")
    pair.until(pair.told())
    assert (True, [], []) == (pair.is_equal(), pair.owed(), pair.lacks(ONES))


def test_a_long_list_of_which_nothing_can_be_read(primary: Primary, paired: Callable[..., Pair]) -> None:
    """Its pieces are in the catalog, so they travel; the chunks are owed."""
    primary.write((b"a", b"1"), (b"huge", bytes(range(256)) * (LARGE // 256)), (b"z", b"2"))
    row = primary.catalog.object(primary.names[b"huge"])
    assert row is not None
    pair = paired(b"huge")
    pair.until(pair.told(b"huge"))
    pieces = [entry.name for entry in decode(decode_object(row).content) if entry.kind != DATA]
    assert (True, [primary.names[b"huge"]], []) == (pair.is_equal(), pair.owed(), pair.secondary.vault.missing(pieces))


def test_by_the_spool_it_is_the_same(tmp_path: Path, secondary: Secondary) -> None:
    """A peer that is behind is sealed without what cannot be read, too."""
    primary = Primary(tmp_path / "slow", limit=2 * CHUNK)
    primary.write((b"a", ONES), (b"b", TWOS), (b"hot", THREES))
    turns = iter(range(12))

    def rewrite() -> None:
        turn = next(turns, None)
        if turn is not None:
            primary.write((b"hot", bytes([turn, 1]) * (CHUNK // 2)))
            primary.write((b"hot", bytes([turn, 2]) * (CHUNK // 2)))

    primary.before_read = rewrite
    pair = Pair(primary, secondary, b"b")
    pair.until(lambda: pair.is_equal() and pair.told(b"b")())
    assert [primary.names[b"b"]] == pair.owed()
    pair.stop()
    primary.close()
    assert primary.spools


def test_other_bytes_than_the_row_says_without_a_newer_one(primary: Primary, paired: Callable[..., Pair]) -> None:
    """Capture looked and brought nothing, so it cannot read what stands there: the rounds come to an end."""
    primary.write((b"a", ONES), (b"b", TWOS))
    primary.change_unseen(b"b", FIVES)
    primary.blind = {primary.names[b"b"]}
    pair = paired()
    pair.until(pair.told(b"b"))
    assert (True, [primary.names[b"b"]]) == (pair.is_equal(), pair.owed())


def test_absences_are_told_as_they_come_together() -> None:
    """In bounded parts, however many objects; what was told is not told again."""
    some = Absences()
    for id in range(1, 2 * OBJECTS_MAX + 2):
        assert some.takes(ChunkRef(bytes(32), DATA, ObjectId(id), 0, 1), Lack.UNREADABLE)
    assert some.due
    parts = list(some.parts(CommitNumber(7), CommitNumber(6)))
    assert ([OBJECTS_MAX, OBJECTS_MAX, 1], 2 * OBJECTS_MAX + 1) == ([len(part.objects) for part in parts], some.told)
    assert ([], False) == (list(some.parts(CommitNumber(7), CommitNumber(6))), some.due)


def test_what_is_here_is_kept_whatever_is_said_to_be_absent(secondary: Secondary) -> None:
    """Of objects, directories and ids that are none: nothing is owed that came, and ids are no rows."""
    receiver = opened(secondary)
    absent = Absent(ONE, NOTHING, (FILE, FILE, A, ObjectId(1 << 62)))
    take(receiver, data(), offer(BASE), absent, replace(seal(BASE, len(BASE)), absent=4))
    assert (0, []) == (secondary.catalog.owing, secondary.catalog.owed())
    receiver.close()


def test_absent_before_its_rows_is_the_same(secondary: Secondary) -> None:
    """Names of a long list are offered before its row: what lacks of it may be said to be absent before that comes."""
    receiver = opened(secondary)
    absent = Absent(ONE, NOTHING, (FILE,))
    take(receiver, absent, offer(BASE), replace(seal(BASE, len(BASE)), absent=1))
    assert [Owing(1, (FILE,))] == receiver.handle((AskOwed(ObjectId(0)),))
    assert [Owing(1, ())] == receiver.handle((AskOwed(FILE),))
    assert [Owing(1, (FILE,))] == receiver.handle((data(), AskOwed(ObjectId(0))))
    assert [Owing(0, ())] == receiver.handle((AskOwed(FILE),))
    receiver.close()


def test_a_seal_says_how_much_it_goes_without(secondary: Secondary) -> None:
    """A number that is not that of the ids before it is refused, and so is a lack that nobody spoke of."""
    refused(secondary, opened(secondary), offer(BASE), Absent(ONE, NOTHING, (FILE,)), seal(BASE, len(BASE)))
    receiver = opened(secondary)
    with pytest.raises(WireError):
        receiver.handle((Absent(ONE, NOTHING, (FILE,)),))
    receiver.close()


def test_nothing_is_asked_in_the_middle_of_a_commit(secondary: Secondary) -> None:
    """What is owed is told between commits."""
    refused(secondary, opened(secondary), offer(BASE), AskOwed(ObjectId(0)))


class Talk:
    """What is said of what is owed."""

    owed = 0

    def __init__(self) -> None:
        self.unanswered = Unanswered()
        self.under_way = UnderWay()

    def say(self, batch: Batch) -> Iterator[Batch]:
        yield batch

    def wait(self, until: Callable[[], bool]) -> Iterator[Batch]:
        while not until():
            yield ()

    def answer(self, question: int) -> Iterator[Batch]:
        while not self.unanswered.is_answered(question):
            yield ()


def test_what_a_peer_owes_is_unknown_while_it_is_asked(primary: Primary) -> None:
    """Another commit may go first: not as patches of what the peer may lack."""
    talk = Talk()
    owed = OwedContent(talk, primary.source(), lambda: 0, ManualClock(), lambda *_: None)  # type: ignore[arg-type]  # enough
    owed.declared()
    list(owed.go_on(lambda: True))
    assert owed.any
    talk.unanswered.owing = Owing(0, ())
    list(owed.go_on(lambda: False))
    assert not owed.any


def test_what_is_owed_goes_in_messages_that_fit_the_link(primary: Primary) -> None:
    """A commit goes between two of them, and does not wait for a large one on a slow link."""
    size, talk = 64 * CHUNK, Talk()
    primary.write((b"a", noise(size)))
    owed = OwedContent(talk, primary.source(), lambda: 0, ManualClock(), lambda *_: None)  # type: ignore[arg-type]  # enough
    weights = []
    for batch in owed.go_on(lambda: False):
        weights.append(weight(batch))
        for part in batch:
            if isinstance(part, AskOwed):
                asked_again = part.after == primary.names[b"a"]
                talk.unanswered.heard_owing(Owing(1, () if asked_again else (primary.names[b"a"],)))
            elif isinstance(part, Offer):
                talk.unanswered.heard_need(Need(part.id, tuple(range(len(part.asked)))))
    assert (True, True) == (sum(weights) > size, max(weights) < talk.under_way.message() + 2 * CHUNK)
