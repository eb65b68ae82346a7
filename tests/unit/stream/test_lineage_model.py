"""Two lineages that part and meet, as values: whatever each has made since, one is brought to what the other has."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from blake3 import blake3

from agent.core.commit import Changes, Commit
from agent.core.digest import Digest, bucket_of, is_among
from agent.core.ids import NOTHING, CommitNumber, Epoch, commit_number, epoch_of, seq_of
from agent.core.rows import encode_name, key_of
from agent.stream.differing import differing_buckets, differing_groups, sums_of_groups
from agent.stream.footing import Footing, LineageBroken, Way, judge_commit
from agent.stream.locator import CommitMark, is_known, locator_in, newest_common, with_common
from agent.stream.messages import Hello, Welcome
from agent.stream.receiving.going_back import BackLimits, GoingBack

State = dict[bytes, bytes]


@dataclass
class Node:
    """A node's catalog: every commit with its state, and how much of that it can still read."""

    states: dict[CommitNumber, State] = field(default_factory=dict)
    made: dict[CommitNumber, Commit] = field(default_factory=dict)
    epochs: list[Epoch] = field(default_factory=list)
    horizon: int = 0
    kept: tuple[int, ...] = ()

    def copy(self) -> Node:
        """Another node that has all of it."""
        return Node(dict(self.states), dict(self.made), list(self.epochs), self.horizon, self.kept)

    def commit(self, number: CommitNumber, state: State) -> None:
        """A commit of this state."""
        newest = self.newest()
        self.states[number] = state
        digest = blake3(b"".join(sorted(state.values()))).digest()
        self.made[number] = Commit(number, newest.number if newest else NOTHING, digest, 0, 0, True, 0, 0)

    def goes_on(self, rng: random.Random, commits: int) -> None:
        """Some commits of the newest epoch, each of a few changes."""
        for _ in range(commits):
            newest = self.newest()
            state = dict(self.states[newest.number]) if newest else {}
            for _ in range(rng.randrange(4)):
                row = encode_name(2, b"%d" % rng.randrange(30), rng.randrange(2, 9))
                if rng.random() < 0.3:
                    state.pop(key_of(row), None)
                else:
                    state[key_of(row)] = row
            epoch, at = self.epochs[-1].number, newest.number if newest else NOTHING
            seq = seq_of(at) + rng.randrange(1, 3) if epoch_of(at) == epoch else 1
            self.commit(commit_number(epoch, seq), state)

    def forgets(self, rng: random.Random) -> None:
        """History before some moment goes, but for what is kept."""
        numbers = sorted(self.made)
        if numbers and rng.random() < 0.5:
            self.horizon = rng.choice(numbers)
            self.kept = tuple(number for number in numbers if number < self.horizon and rng.random() < 0.2)

    # What is asked of a catalog.

    def newest(self) -> Commit | None:
        return self.made[max(self.made)] if self.made else None

    def commit_at(self, number: CommitNumber) -> Commit | None:
        return self.made.get(number) if self.is_readable(number) else None

    def commit_up_to(self, number: CommitNumber) -> Commit | None:
        return self.made[max(found)] if (found := [one for one in self.made if one <= number]) else None

    def epoch_of_commit(self, number: CommitNumber) -> Epoch | None:
        return next((epoch for epoch in self.epochs if epoch.number == epoch_of(number)), None)

    def is_readable(self, at: CommitNumber) -> bool:
        return at >= self.horizon or at in self.kept

    def readable_before_horizon(self) -> tuple[int, ...]:
        return self.kept

    def knows(self, mark: CommitMark) -> bool:
        return is_known(self, mark)

    def knows_epoch(self, epoch: Epoch) -> bool:
        return epoch in self.epochs

    def anew_since(self) -> CommitNumber:
        return NOTHING


def welcome_of(node: Node, hello: Hello) -> Welcome:
    """What a node answers."""
    newest = node.newest()
    durable = newest.number if newest else NOTHING
    common = newest_common(hello.locator, node.knows)
    epoch = node.epoch_of_commit(durable) or Epoch(0, "", b"")
    digest = newest.digest if newest else b""
    locator = with_common(locator_in(node), common)
    return Welcome("beta", epoch, durable, digest, NOTHING, 0, 2, met=epoch, locator=locator)


def brought(ours: Node, theirs: Node, footing: Footing) -> State:
    """The peer's state after what this footing sends."""
    newest, theirs_newest = ours.newest(), theirs.newest()
    assert newest is not None
    target = ours.states[newest.number]
    there = dict(theirs.states[theirs_newest.number]) if theirs_newest else {}
    if footing.way is Way.ANEW:
        return dict(target)
    if footing.way is Way.WHOLE:
        return _by_buckets(target, there)
    start = ours.states[footing.start] if footing.start != NOTHING else {}
    changes = Changes(
        [row for key, row in target.items() if start.get(key) != row], [key for key in start if key not in target]
    )
    if footing.back is None:
        return _staged(there, [changes])
    then = theirs.states[footing.back.number]
    undone = [(key, there.get(key), then.get(key)) for key in {*there, *then} if there.get(key) != then.get(key)]
    back = GoingBack()
    assert back.gather([undone], BackLimits())
    return _staged(there, [back.adjusted(changes), *back.rest()])


def _by_buckets(target: State, there: State) -> State:
    ours, theirs = Digest(), Digest()
    ours.add(target.values())
    theirs.add(there.values())
    groups = differing_groups(theirs.groups(), ours.groups())
    buckets = differing_buckets(ours.group, groups, sums_of_groups(theirs.group, groups))
    told = {key: row for key, row in target.items() if is_among(row, buckets)}
    assert {bucket_of(row) for row in told.values()} <= {
        bucket_of(row) for row in {*target.values()} ^ {*there.values()}
    }
    return {key: row for key, row in there.items() if not is_among(row, buckets)} | told


def _staged(state: State, parts: list[Changes]) -> State:
    """Each key at most once, and nothing is dropped that does not live: what staging refuses."""
    named: set[bytes] = set()
    state = dict(state)
    for part in parts:
        keys = [*map(key_of, part.puts), *part.drops]
        assert not named & set(keys)
        assert len(keys) == len(set(keys))
        named |= set(keys)
        for key in part.drops:
            del state[key]
        state |= {key_of(row): row for row in part.puts}
    return state


def met(ours: Node, theirs: Node) -> Way | None:
    """Bring the peer to what we have, and check it; None where that is refused."""
    newest = ours.newest()
    assert newest is not None
    hello = Hello("alpha", "web", (2,), ours.epochs[-1], newest.number, b"", locator=locator_in(ours))
    welcome = welcome_of(theirs, hello)
    try:
        footing = judge_commit("beta", hello, welcome, ours)
    except LineageBroken:
        return None
    assert ours.states[newest.number] == brought(ours, theirs, footing)
    if footing.back is not None:
        assert footing.back.digest == ours.made[footing.back.number].digest == theirs.made[footing.back.number].digest
    return footing.way


def test_lineages_that_part_and_meet(seed: int) -> None:
    """Both promoted, also under equal numbers, with whatever of their pasts forgotten: the peer comes out as we are."""
    rng = random.Random(seed)
    ways: set[Way | None] = set()
    for _ in range(1000):
        ours = Node(epochs=[Epoch(1, "alpha", b"1" * 16)])
        ours.goes_on(rng, rng.randrange(1, 20))
        theirs = ours.copy()
        if rng.random() < 0.6:
            theirs.epochs.append(Epoch(2, "beta", b"b" * 16))
        theirs.goes_on(rng, rng.randrange(12))
        ours.epochs.append(Epoch(rng.choice([2, 3]), "alpha", b"a" * 16))
        if ours.epochs[-1].number == 2 and rng.random() < 0.7:
            ours.goes_on(rng, rng.randrange(1, 5))
            ours.epochs.append(Epoch(3, "alpha", b"A" * 16))
        ours.goes_on(rng, rng.randrange(1, 12))
        theirs.forgets(rng)
        ours.forgets(rng)
        ways.add(met(ours, theirs))
    assert {Way.ON, Way.BACK, Way.WHOLE, Way.ANEW} <= ways


def test_inside_an_epoch(seed: int) -> None:
    """A peer of the same epoch: put back to any commit that it had, or from nothing, with whatever forgotten."""
    rng = random.Random(seed)
    ways: set[Way | None] = set()
    for _ in range(1500):
        ours = Node(epochs=[Epoch(1, "alpha", b"1" * 16)])
        theirs = Node(epochs=list(ours.epochs))
        for _ in range(rng.randrange(1, 10)):
            ours.goes_on(rng, rng.randrange(1, 5))
            newest = ours.newest()
            assert newest is not None
            if rng.random() < 0.5:
                theirs.commit(newest.number, ours.states[newest.number])
        ours.goes_on(rng, 1)
        theirs.forgets(rng)
        ours.forgets(rng)
        ways.add(met(ours, theirs))
    assert {Way.ON, Way.BACK, Way.WHOLE} == ways


def test_a_peer_that_is_ahead_in_our_own_epoch_is_not_written_to(seed: int) -> None:
    """It has commits of ours that we do not know: that is for a person."""
    rng = random.Random(seed)
    for _ in range(200):
        ours = Node(epochs=[Epoch(1, "alpha", b"1" * 16)])
        ours.goes_on(rng, rng.randrange(1, 10))
        theirs = ours.copy()
        theirs.goes_on(rng, rng.randrange(1, 5))
        assert None is met(ours, theirs)
