"""Peers whose past is not ours: the newest commit that both know is gone back to, or the buckets tell where they differ."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.chunks import name_of
from agent.core.clock import SystemClock
from agent.core.commit import Changes
from agent.core.ids import NOTHING, CommitNumber, Epoch, ObjectId, commit_number
from agent.core.problem_codes import DIGEST_DIFFERS
from agent.core.rows import key_of
from agent.store.catalog.row_tables import Difference
from agent.stream.locator import CommitMark, locator_in
from agent.stream.messages import Begin, Offer, PrimaryPart, Seal, Sums
from agent.stream.position import Level, PositionBoard
from agent.stream.receiving.going_back import BackLimits, GoingBack
from agent.stream.receiving.receiver import Receiver
from agent.stream.sending.link import Dialling, Link
from agent.stream.sending.sender import CallPhase
from fakes.eventually import eventually
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import (
    CHUNK,
    Call,
    FakeSource,
    Primary,
    Secondary,
    digest_of,
    make_sender,
    noise,
    sync,
    until_durable,
)


def parts_of(transport: MemoryTransport) -> list[PrimaryPart]:
    """All that was sent."""
    return [part for batch in transport.up for part in batch]


def rows_in(transport: MemoryTransport) -> int:
    """How many rows were offered in all, as the seals count them."""
    return sum(part.rows for part in parts_of(transport) if isinstance(part, Seal))


def promoted(primary: Primary, secondary: Secondary, token: bytes = b"2" * 16, number: int = 2) -> Primary:
    """The secondary as a primary, with the files that the other has."""
    secondary.close()
    new = Primary(secondary.directory, Epoch(number, "alpha", token))
    new.names, new.disk = dict(primary.names), dict(primary.disk)
    return new


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Secondary]:
    """A second standby."""
    one = Secondary(tmp_path / "gamma")
    yield one
    one.close()


def parted(primary: Primary, secondary: Secondary, tmp_path: Path, files: int = 300) -> Primary:
    """Two standbys of many files; one is promoted, the other had three commits more. Gives the new primary."""
    primary.write(*((b"f%d" % n, noise(CHUNK, n)) for n in range(files)))
    ahead = Secondary(tmp_path / "ahead")
    sync(primary, MemoryTransport(ahead))
    new = promoted(primary, ahead)
    sync(primary, MemoryTransport(secondary))
    primary.write((b"f1", b"changed there"))
    primary.remove(b"f2")
    primary.write((b"made there", b"1"), (b"f3", b"changed on both"))
    sync(primary, MemoryTransport(secondary))
    new.write((b"f3", b"changed here"), (b"f4", b"changed here"))
    new.remove(b"f5")
    new.write((b"made here", b"2"))
    return new


def test_it_goes_back_to_the_common_commit(tmp_path: Path, primary: Primary, secondary: Secondary) -> None:
    """What it had alone is taken back in the first commit, and only what changed here since the common one travels."""
    new = parted(primary, secondary, tmp_path)
    theirs = secondary.catalog.newest()
    assert theirs is not None
    transport = MemoryTransport(secondary)
    sync(new, transport)
    (begin,) = (part for part in parts_of(transport) if isinstance(part, Begin))
    newest = secondary.catalog.newest()
    assert newest is not None
    assert (digest_of(new), theirs.number) == (newest.digest, newest.parent)
    assert begin.back is not None
    assert (commit_number(1, 1), True) == (begin.back.number, rows_in(transport) < 12)
    # The past stays as it was.
    assert theirs.digest == getattr(secondary.catalog.commit_at(theirs.number), "digest", None)
    new.close()


def test_it_streams_on(tmp_path: Path, primary: Primary, secondary: Secondary) -> None:
    """After going back it is a peer like any other, and nobody is told that it has commits of ours before it has them."""
    new = parted(primary, secondary, tmp_path)
    call = Call(new, MemoryTransport(secondary))
    until_durable(call, new)
    call.until_streaming()
    new.write((b"later", b"1"))
    until_durable(call, new)
    call.stop()
    assert (None, digest_of(new)) == (call.failure, secondary.digest())
    new.close()


class Forgetful(Receiver):
    """One that cannot go back."""

    def way_back(self, mark: CommitMark) -> GoingBack | None:
        return None


def test_a_peer_that_cannot_go_back_is_compared(tmp_path: Path, primary: Primary, secondary: Secondary) -> None:
    """The sums tell where the two differ, and the rows of those buckets travel, hardly any others."""
    new = parted(primary, secondary, tmp_path)
    secondary.kind = Forgetful
    transport = MemoryTransport(secondary)
    sync(new, transport)
    kinds = [type(part) for part in parts_of(transport) if isinstance(part, Begin | Sums)]
    assert (digest_of(new), [Begin, Sums, Begin]) == (secondary.digest(), kinds)
    assert rows_in(transport) < 40
    new.close()


def test_what_is_put_back_and_has_lost_its_content_is_owed(
    tmp_path: Path, primary: Primary, secondary: Secondary
) -> None:
    """The commit is sealed all the same, and what lacks is asked for like anything else that did not come (law 9)."""
    new = parted(primary, secondary, tmp_path)
    secondary.vault.forget([name_of(noise(CHUNK, 2))])
    call = Call(new, MemoryTransport(secondary))
    until_durable(call, new)
    assert (digest_of(new), [new.names[b"f2"]]) == (secondary.digest(), owed_by(secondary))

    def came() -> bool:
        new.clock.advance(0.5)
        new.feed.looked()
        return not owed_by(secondary)

    eventually(came)
    call.stop()
    assert (None, []) == (call.failure, secondary.vault.missing([name_of(noise(CHUNK, 2))]))
    new.close()


def owed_by(secondary: Secondary) -> list[ObjectId]:
    """What a peer owes, as its catalog says to others."""
    with secondary.catalog.reader() as reader:
        return reader.owed()


def test_two_that_were_promoted_apart_under_one_number(tmp_path: Path, primary: Primary, secondary: Secondary) -> None:
    """Both took epoch 2; the one that is primary in the end brings the other back to what both had."""
    primary.write(*((b"f%d" % n, noise(CHUNK, n)) for n in range(50)))
    ahead = Secondary(tmp_path / "ahead")
    for one in (ahead, secondary):
        sync(primary, MemoryTransport(one))
    losing = promoted(primary, secondary, b"l" * 16)
    losing.write((b"f1", b"lost"), (b"new", b"lost"))
    losing.close()
    secondary.open()
    first = promoted(primary, ahead, b"w" * 16)
    first.write((b"f2", b"kept"))
    first.close()
    ahead.open()
    final = promoted(first, ahead, b"f" * 16, 3)
    final.write((b"f3", b"kept"))
    transport = MemoryTransport(secondary)
    sync(final, transport)
    assert (digest_of(final), True) == (secondary.digest(), rows_in(transport) < 6)
    final.close()


def test_only_the_buckets_that_differ_travel(primary: Primary, secondary: Secondary) -> None:
    """Away longer than history, with a thousand files of which three changed."""
    primary.write(*((b"f%d" % n, b"%d" % n) for n in range(1000)))
    sync(primary, MemoryTransport(secondary))
    primary.write((b"f1", b"changed"), (b"new", b"made"))
    newest = primary.remove(b"f2")
    primary.catalog.raise_horizon(newest.number)
    transport = MemoryTransport(secondary)
    sync(primary, transport)
    assert digest_of(primary) == secondary.digest()
    offered = sum(isinstance(part, Offer) and part.whole for part in parts_of(transport))
    assert (1, True) == (offered, rows_in(transport) < 100)


def test_nothing_differs(primary: Primary, secondary: Secondary) -> None:
    """The commit that it has is gone here, its state is ours: a commit of no row makes it ours again."""
    primary.write((b"f", b"1"))
    sync(primary, MemoryTransport(secondary))
    primary.write((b"f", b"2"))
    newest = primary.write((b"f", b"1"))
    primary.catalog.raise_horizon(newest.number)
    transport = MemoryTransport(secondary)
    sync(primary, transport)
    assert (digest_of(primary), 0) == (secondary.digest(), rows_in(transport))


def test_lineages_at_random(tmp_path: Path, seed: int) -> None:
    """Two of one past, each with a future of its own: whichever is primary in the end, the other comes out as it is."""
    rng = random.Random(seed)
    for turn in range(6):
        old = Primary(tmp_path / f"old{turn}")
        one, two = Secondary(tmp_path / f"one{turn}"), Secondary(tmp_path / f"two{turn}")
        for _ in range(rng.randrange(1, 5)):
            _some_changes(old, rng)
            for peer in (one, two):
                if rng.random() < 0.6:
                    sync(old, MemoryTransport(peer))
        sync(old, MemoryTransport(one))
        new = promoted(old, one)
        for _ in range(rng.randrange(4)):
            _some_changes(old, rng)
        sync(old, MemoryTransport(two))
        for _ in range(rng.randrange(1, 4)):
            _some_changes(new, rng)
        sync(new, MemoryTransport(two))
        newest = two.catalog.newest()
        assert newest is not None
        rows = sorted(row for some in two.catalog.rows_at(newest.number) for row in some)
        assert rows == sorted(row for some in new.catalog.rows_at() for row in some)
        for each in (old, new, two):
            each.close()


def _some_changes(primary: Primary, rng: random.Random) -> None:
    for _ in range(rng.randrange(1, 4)):
        name = b"f%d" % rng.randrange(12)
        if name in primary.names and rng.random() < 0.4:
            primary.remove(name)
        else:
            primary.write((name, noise(rng.randrange(1, 2 * CHUNK), rng.randrange(1000))))


class Slips(FakeSource):
    """A source whose differences leave out the first row that changed: a fault that no length or name shows."""

    def difference(self, a: CommitNumber, b: CommitNumber) -> Iterator[list[Difference]]:
        left_out = a == NOTHING
        for rows in super().difference(a, b):
            for one in rows:
                if left_out or one[1] is None:
                    yield [one]
                left_out = left_out or one[1] is not None


def test_a_digest_that_differs_is_mended(primary: Primary, secondary: Secondary) -> None:
    """The commit is refused and named so; the next call compares, and the rows of the buckets that differ travel."""
    primary.write(*((b"f%d" % n, b"%d" % n) for n in range(200)))
    sync(primary, MemoryTransport(secondary))
    newest, board = primary.write((b"f1", b"left out"), (b"f2", b"told")), PositionBoard()
    primary.make_source = Slips
    codes: list[str] = []
    transport = MemoryTransport(secondary)
    link = Link(
        "beta",
        "web",
        transport,
        lambda: make_sender(primary, board),
        SystemClock(),
        broken=lambda failure: codes.append(str(getattr(failure, "code", failure))),
        dialling=Dialling(lambda: -0.5),
    )
    link.start()
    assert board.wait(Level.DURABLE, newest.number, 40)
    link.stop()
    assert ([str(DIGEST_DIFFERS)], digest_of(primary)) == (codes, secondary.digest())
    assert rows_in(transport) < 20


def test_a_standby_from_nothing_while_another_streams(primary: Primary, secondary: Secondary, other: Secondary) -> None:
    """The other's call, position and bytes go on, and nothing is written into the primary's catalog for it."""
    primary.write(*((b"f%d" % n, noise(CHUNK, n)) for n in range(100)))
    steady = MemoryTransport(secondary)
    call = Call(primary, steady)
    until_durable(call, primary)
    call.until_streaming()
    sent, position, catalog = call.sender.talk.under_way.sent, call.board.position, primary.catalog.newest()
    rounds = sum(isinstance(part, Begin | Sums) for part in parts_of(steady))
    sync(primary, MemoryTransport(other))
    assert (sent, position) == (call.sender.talk.under_way.sent, call.board.position)
    assert (CallPhase.STREAMING, None) == (call.sender.phase, call.sender.talk.failure)
    assert (catalog, [primary.epoch]) == (primary.catalog.newest(), primary.catalog.lineage)
    primary.write((b"later", b"1"))
    until_durable(call, primary)
    assert (0, rounds) == (rounds, sum(isinstance(part, Begin | Sums) for part in parts_of(steady)))
    call.stop()
    assert digest_of(primary) == secondary.digest()


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_standby_put_back_to_an_old_image(
    forgotten: bool, primary: Primary, secondary: Secondary, other: Secondary, tmp_path: Path
) -> None:
    """Whether the primary still knows that commit or not: it alone is brought up, in the same epoch."""
    primary.write(*((b"f%d" % n, noise(CHUNK, n)) for n in range(100)))
    sync(primary, MemoryTransport(other))
    other.close()
    shutil.copytree(other.directory, tmp_path / "image")
    other.open()
    primary.write((b"f1", b"newer"))
    sync(primary, MemoryTransport(other))
    other.close()
    shutil.rmtree(other.directory)
    shutil.copytree(tmp_path / "image", other.directory)
    other.open()
    steady = MemoryTransport(secondary)
    call = Call(primary, steady)
    until_durable(call, primary)
    call.until_streaming()
    newest = primary.catalog.newest()
    assert newest is not None
    if forgotten:
        primary.catalog.raise_horizon(newest.number)
    before = call.sender.talk.under_way.sent, call.board.position, call.sender.phase
    again = MemoryTransport(other)
    sync(primary, again)
    assert before == (call.sender.talk.under_way.sent, call.board.position, call.sender.phase)
    assert (newest, digest_of(primary)) == (primary.catalog.newest(), other.digest())
    assert rows_in(again) < 10
    call.stop()


def test_what_is_too_much_to_be_taken_back() -> None:
    """Neither rows nor bytes are remembered without a bound."""
    undone = [[(b"o%d" % n, None, b"row")] for n in range(10)]
    assert [True, False, False] == [
        GoingBack().gather(undone, limits) for limits in (BackLimits(10, 1000), BackLimits(9, 1000), BackLimits(10, 40))
    ]


def test_what_is_taken_back() -> None:
    """What the other names is left to it, what does not live is not dropped, the rest is put back."""
    back = GoingBack()
    rows = {name: b"\x02n" + (2).to_bytes(8) + (3).to_bytes(8) + name for name in (b"a", b"b", b"c", b"d")}
    a, b, c, d = (key_of(row) for row in rows.values())
    undone = [[(a, b"now", rows[b"a"]), (b, b"now", None), (c, None, rows[b"c"]), (d, None, rows[b"d"])]]
    assert back.gather(undone, BackLimits())
    assert Changes([rows[b"a"]], []) == back.adjusted(Changes([rows[b"a"]], [c]))
    assert [Changes([rows[b"d"]], [b])] == list(back.rest())
    assert [] == list(back.rest())


def test_a_catalog_names_what_it_can_read(primary: Primary) -> None:
    """By epoch and digest, the newest first; nothing from before its horizon."""
    commits = [primary.write((b"f", b"%d" % n)) for n in range(10)]
    with primary.catalog.reader() as reader:
        named = locator_in(reader)
        primary.catalog.raise_horizon(commits[7].number)
        later = locator_in(reader)
    assert [9, 8, 7, 5, 1] == [commits.index(next(c for c in commits if c.number == mark.number)) for mark in named]
    assert [(EPOCH_TOKEN, commits[n].digest) for n in (9, 8, 7)] == [(mark.epoch, mark.digest) for mark in later]


EPOCH_TOKEN = b"1" * 16
