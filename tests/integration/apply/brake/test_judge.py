"""The brake over a real catalog, beside a model that has both trees in memory."""

from __future__ import annotations

import random
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from agent.apply.brake.judge import Guard, Reached
from agent.apply.brake.loss_window import STRETCHES
from agent.apply.brake.loss_words import LOSS_WORDS
from agent.config.values import Brake
from agent.core.commit import Commit
from agent.core.dataset_kind import DatasetKind
from agent.core.hold import Hold
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from agent.store.catalog.catalog import CatalogReader
from fakes.apply_fakes import Chance, Rig, Tree, rig

TREE = LOSS_WORDS[DatasetKind.TREE]
LIMITS = Brake(deleted=0.3, rewritten=0.5, window=320, min_entries=10)
WIDTH = LIMITS.window * 10**9
STRETCH = WIDTH // STRETCHES


def counterpart(base: Tree, target: Tree, directory: ObjectId) -> ObjectId | None:
    """A directory of ``base`` at ``target``, or what stands at its path."""
    if directory == ROOT or directory in target.objects:
        return directory
    parent, name = next(place for place, id in base.names.items() if id == directory)
    there = counterpart(base, target, parent)
    return None if there is None else target.names.get((there, name))


def deleted(base: Tree, target: Tree) -> int:
    """Names whose object is gone and at whose path nothing stands."""
    gone = [place for place, id in base.names.items() if id not in target.objects]
    return sum((counterpart(base, target, parent), name) not in target.names for parent, name in gone)


def path_in(tree: Tree, place: tuple[ObjectId, bytes]) -> bytes:
    """Where a name stands."""
    above = next((each for each, id in tree.names.items() if id == place[0]), None)
    return place[1] if above is None else path_in(tree, above) + b"/" + place[1]


def rewritten(base: Tree, target: Tree) -> int:
    """Regular files with other content, under their id or, when that is gone, at one of their paths."""
    count = 0
    for id, old in base.objects.items():
        if old.kind != stat.S_IFREG:
            continue
        places = [place for place, child in base.names.items() if child == id]
        there = [target.names.get((counterpart(base, target, p), name)) for p, name in places]  # type: ignore[arg-type]
        found = [id] if id in target.objects else [other for other in there if other is not None]
        rows = [target.objects[other] for other in found]
        count += any(row.kind == stat.S_IFREG and row.content != old.content for row in rows)
    return count


@dataclass
class Past:
    """Commits with the trees that they were."""

    it: Rig
    states: list[tuple[Commit, Tree]] = field(default_factory=list)

    def commit(self, tree: Tree, *, consistent: bool = True) -> Commit:
        commit = self.it.commit(tree, consistent=consistent)
        self.states.append((commit, tree.copy()))
        return commit

    def base(self, target: Commit, floor: CommitNumber) -> tuple[Commit, Tree]:
        """What the window of a commit begins with: the last state before its first stretch, never an inconsistent one of the
        beginning."""
        start = (target.received - WIDTH) // STRETCH * STRETCH
        first = next(place for place, (commit, _) in enumerate(self.states) if commit.consistent)
        before = [
            place for place, (commit, _) in enumerate(self.states) if commit.received < start and commit.number <= floor
        ]
        return self.states[max([first, *before])]

    def stretch_before(self, number: CommitNumber) -> CommitNumber:
        """The last commit of an earlier stretch than that of another: a window that follows has no mark nearer."""
        received = next(commit.received for commit, _ in self.states if commit.number == number)
        start = received // STRETCH * STRETCH
        return max((commit.number for commit, _ in self.states if commit.received < start), default=NOTHING)

    def expected(self, target: Commit, floor: CommitNumber) -> str | None:
        """The code of the hold that the model wants."""
        base, old = self.base(target, floor)
        if base.entries < LIMITS.min_entries:
            return None
        if deleted(old, self.it.tree) > LIMITS.deleted * base.entries:
            return "mass-deletion"
        files = sum(row.kind == stat.S_IFREG for row in old.objects.values())
        return "mass-rewriting" if rewritten(old, self.it.tree) > LIMITS.rewritten * files else None


def judged(
    it: Rig, guard: Guard, target: Commit, applied: CommitNumber, accepted: CommitNumber = NOTHING
) -> Hold | None:
    """What the guard says with a reader of its own."""
    with it.catalog.reader() as reader:
        return guard.judge(reader, target, Reached(applied, accepted, NOTHING))


def test_counts_equal_those_of_the_model(tmpfs_dir: Path, rng: random.Random) -> None:
    """Any two moments of random histories: the same deletions and rewritings."""
    with rig(tmpfs_dir / "rig") as it:
        past, chance = Past(it), Chance(rng)
        tree = chance.evolve(Tree.empty(it.store), 60)
        for _ in range(40):
            past.commit(tree)
            tree = chance.evolve(tree, rng.randint(1, 12))
        with it.catalog.reader() as reader:
            for place, (base, old) in enumerate(past.states):
                target, new = past.states[rng.randrange(place, len(past.states))]
                assert deleted(old, new) == reader.deleted(base.number, target.number)
                assert rewritten(old, new) == reader.rewritten(base.number, target.number)
                files = sum(row.kind == stat.S_IFREG for row in old.objects.values())
                assert files == base.files


def test_counts_are_carried_on(tmpfs_dir: Path, rng: random.Random) -> None:
    """Files written, removed, made again, replaced and renamed: what was counted up to one moment, and what came after it,
    make what is counted at once."""
    with rig(tmpfs_dir / "rig") as it, it.catalog.reader() as reader:
        past = Past(it)
        tree = wide(it, 4, 10)
        directories = [place for place in tree.names if place[0] == ROOT]
        for _ in range(60):
            past.commit(tree)
            for _ in range(rng.randint(1, 8)):
                change_a_file(tree, rng, tree.names[rng.choice(directories)])
        for _ in range(60):
            base, after, target = (past.states[at][0].number for at in sorted(rng.choices(range(60), k=3)))
            more = reader.lost_more(base, after, target)
            assert more is not None
            assert reader.deleted(base, target) == reader.deleted(base, after) + more.deleted
            assert reader.rewritten(base, target) == reader.rewritten(base, after) + more.rewritten


def change_a_file(tree: Tree, rng: random.Random, directory: ObjectId) -> None:
    """Write, make, remove, rename, or alter one of a dozen in a directory."""
    place = (directory, b"f%d" % rng.randrange(12))
    id, verb = tree.names.get(place), rng.choice("wwrcmx")
    if id is None or verb == "c":
        tree.file(*place, b"%d" % rng.randrange(3))
    elif verb == "w":
        tree.write(id, b"%d" % rng.randrange(3))
    elif verb == "m":
        tree.alter(id, mode=tree.objects[id].mode ^ 0o100)
    elif verb == "x":
        tree.move(place, (place[0], b"f%d" % rng.randrange(12)))
    else:
        tree.remove(*place)


def first_deleted(states: list[tuple[Commit, Tree]]) -> CommitNumber:
    """Of what stood in the first state and is lost in the last: when the first of it was lost for good."""
    old, new = states[0][1], states[-1][1]
    found = []
    for place, id in old.names.items():
        if id not in new.objects and place not in new.names:
            stood = [at for at, (_, tree) in enumerate(states) if id in tree.objects or place in tree.names]
            found.append(states[stood[-1] + 1][0].number)
    return min(found, default=NOTHING)


def first_rewritten(states: list[tuple[Commit, Tree]]) -> CommitNumber:
    """Of the files of the first state that have other content in the last: when the first of them got it, or went for another."""
    old, new = states[0][1], states[-1][1]
    found = []
    for id, was in old.objects.items():
        places = [place for place, child in old.names.items() if child == id and was.kind == stat.S_IFREG]
        now = [id] if id in new.objects else [new.names[place] for place in places if place in new.names]
        if any(new.objects[other].content != was.content for other in now):
            found.append(
                next(at for at, tree in states if id not in tree.objects or tree.objects[id].content != was.content)
            )
    return min((commit.number for commit in found), default=NOTHING)


def examples(base: Tree, target: Tree, count: Callable[[Tree, Tree], int]) -> set[bytes | None]:
    """The paths of all that is counted: without any of them, one less is; None where there are none."""
    counted, found = count(base, target), set[bytes | None]()
    for place, id in base.names.items():
        without = base.copy()
        del without.names[place], without.objects[id]
        if base.objects[id].kind == stat.S_IFREG and count(without, target) < counted:
            found.add(path_in(base, place))
    return found or {None}


def test_the_first_loss_is_the_one_that_is_told(tmpfs_dir: Path, rng: random.Random) -> None:
    """Not the rename, the saving over, or the change of mode before it; and nothing before the window."""
    with rig(tmpfs_dir / "rig") as it, it.catalog.reader() as reader:
        past = Past(it)
        tree = wide(it, 4, 10)
        directories = [tree.names[place] for place in tree.names if place[0] == ROOT]
        for _ in range(60):
            past.commit(tree)
            for _ in range(rng.randint(1, 8)):
                change_a_file(tree, rng, rng.choice(directories))
        for _ in range(60):
            begin, end = sorted(rng.sample(range(60), k=2))
            states = past.states[begin : end + 1]
            between = states[0][0].number, states[-1][0].number
            assert first_deleted(states) == reader.first_deleted(*between)
            assert first_rewritten(states) == reader.first_rewritten(*between)
            assert reader.one_deleted(*between) in examples(states[0][1], states[-1][1], deleted)
            assert reader.one_rewritten(*between) in examples(states[0][1], states[-1][1], rewritten)


def test_a_hold_names_the_moment_of_the_deletion(tmpfs_dir: Path) -> None:
    """Long after files were saved over and renamed they are deleted: that is when it was, whatever the window begins with."""
    with rig(tmpfs_dir / "rig") as it:
        guard, past = Guard(LIMITS, it.clock, TREE), Past(it)
        tree = wide(it)
        applied = past.commit(tree).number
        files = [place for place in tree.names if place[0] != ROOT]
        for parent, name in files[:40]:
            tree.file(parent, name, b"saved over")
            tree.move((parent, name), (parent, name + b"~"))
            tree.move((parent, name + b"~"), (parent, name))
        assert judged(it, guard, past.commit(tree), applied) is None
        it.clock.advance(LIMITS.window / 2)
        gone = {path_in(tree, place) for place in files[:100]}
        for place in files[:100]:
            tree.remove(*place)
        target = past.commit(tree)
        hold = judged(it, guard, target, applied)
        assert hold is not None
        moment = datetime.fromtimestamp(target.time / 1e9).astimezone()
        assert True is hold.sentence.startswith("100 of 210 entries deleted since ")
        assert f"{moment:%H:%M:%S}, " in hold.sentence
        named = hold.sentence.removesuffix(" among them").rpartition(", ")[2].encode()
        assert (True, True) == (hold.sentence.endswith(" among them"), named in gone)


def counted(reader: CatalogReader) -> Callable[[], int]:
    """Says how many steps of SQLite's machine a reader has taken."""
    taken = [0]

    def finished(event: dict[str, Any]) -> None:  # Any: as apsw has it
        taken[0] += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    reader._connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, finished)
    return lambda: taken[0]


def test_a_commit_costs_the_same_however_long_history_is(tmpfs_dir: Path, rng: random.Random) -> None:
    """200 files of which 80 change all the time, others only their mode: near the limits, so that history is asked. Steps of
    SQLite's machine for each commit, in the window's first tenth and in its last."""
    with rig(tmpfs_dir / "rig") as it, it.catalog.reader() as reader:
        guard, steps, costs = Guard(Brake(window=900, min_entries=100), it.clock, TREE), counted(reader), []
        tree = wide(it, 10, 20)
        applied = it.commit(tree).number
        files = [id for id, row in tree.objects.items() if row.kind == stat.S_IFREG]
        for number in range(2000):
            it.clock.advance(0.4)
            tree.write(rng.choice(files[:80]), b"%d" % number)
            id = rng.choice(files)
            tree.alter(id, mode=tree.objects[id].mode ^ 0o100)
            target = it.commit(tree)
            before = steps()
            assert guard.judge(reader, target, Reached(applied, NOTHING, NOTHING)) is None
            applied = target.number
            costs.append(steps() - before)
        early, late = sum(costs[300:500]), sum(costs[-200:])
        assert late <= 2 * early, (early, late)


def test_verdicts_equal_those_of_the_model(tmpfs_dir: Path, rng: random.Random) -> None:
    """Random histories with pauses, the apply behind at random: a guard that begins now says what the model says, and one
    that followed all along does not hold by mistake."""
    with rig(tmpfs_dir / "rig") as it:
        past, chance = Past(it), Chance(rng)
        following = Guard(LIMITS, it.clock, TREE)
        tree = chance.evolve(Tree.empty(it.store), 80)
        applied = past.commit(tree, consistent=rng.random() < 0.5).number
        codes = set()
        for _ in range(80):
            tree = chance.evolve(tree, rng.choice((1, 1, 2, 3, 10)))
            it.clock.advance(rng.choice((0, 0.1, 5, 5, 20, 90, 400)))
            target = past.commit(tree, consistent=rng.random() < 0.8 or len(past.states) > 5)
            if not any(commit.consistent for commit, _ in past.states):
                assert judged(it, following, target, applied) is None
                continue
            expected = past.expected(target, applied)
            hold = judged(it, Guard(LIMITS, it.clock, TREE), target, applied)
            assert expected == (hold.code if hold else None)
            follows = judged(it, following, target, applied)
            earlier = past.expected(target, past.stretch_before(applied))
            assert (follows.code if follows else None) in {expected, earlier, None}
            codes.add(expected)
            if hold is None and rng.random() < 0.8:
                applied = target.number
        assert codes


def wide(it: Rig, directories: int = 10, files: int = 20) -> Tree:
    """A tree of so many directories with so many files each."""
    tree = Tree.empty(it.store)
    for one in range(directories):
        directory = tree.directory(ROOT, b"d%d" % one)
        for two in range(files):
            tree.file(directory, b"f%d" % two, b"%d/%d" % (one, two))
    return tree


def test_deletions_add_up_over_the_window(tmpfs_dir: Path) -> None:
    """63 of 210 pass, the 64th does not; long after the window they count no more."""
    with rig(tmpfs_dir / "rig") as it:
        guard, past = Guard(LIMITS, it.clock, TREE), Past(it)
        tree = wide(it)
        applied = past.commit(tree).number
        files = [place for place in tree.names if place[0] != ROOT]
        hold: Hold | None = None
        for count, place in enumerate(files[:64], 1):
            it.clock.advance(4)
            tree.remove(*place)
            target = past.commit(tree)
            hold = judged(it, guard, target, applied)
            assert (count == 64) == (hold is not None), count
            applied = applied if hold else target.number
        assert hold is not None
        assert hold.sentence.startswith("64 of 210 entries deleted since ")
        it.clock.advance(400)
        tree.file(ROOT, b"later", b"x")
        assert judged(it, guard, past.commit(tree), applied) is None


def test_a_swap_of_trees_deletes_nothing(tmpfs_dir: Path) -> None:
    """Built anew beside it, swapped, the old one removed: the paths stand. The same with other content is rewriting."""
    with rig(tmpfs_dir / "rig") as it:
        guard, past = Guard(LIMITS, it.clock, TREE), Past(it)
        tree = Tree.empty(it.store)

        def build(name: bytes, word: bytes) -> None:
            directory = tree.directory(tree.directory(ROOT, name), b"deep")
            for number in range(50):
                tree.file(directory, b"f%d" % number, word + b"%d" % number)

        build(b"app", b"one")
        applied = past.commit(tree).number
        for word, expected in ((b"one", None), (b"two", "mass-rewriting")):
            build(b"app.new", word)
            tree.move((ROOT, b"app"), (ROOT, b"app.old"))
            tree.move((ROOT, b"app.new"), (ROOT, b"app"))
            assert judged(it, guard, past.commit(tree), applied) is None
            tree.remove(ROOT, b"app.old")
            hold = judged(it, guard, past.commit(tree), applied)
            assert expected == (hold.code if hold else None)


@pytest.mark.parametrize("how", ["rename", "metadata", "same"])
def test_what_keeps_content_passes(tmpfs_dir: Path, how: str) -> None:
    """Every file renamed, given another mode, or replaced by one with the same content; however often it is looked at."""
    with rig(tmpfs_dir / "rig") as it:
        guard, past = Guard(LIMITS, it.clock, TREE), Past(it)
        tree = wide(it)
        applied = past.commit(tree).number
        for place, id in sorted(tree.names.items()):
            if place[0] == ROOT:
                continue
            it.clock.advance(1)
            row = tree.objects[id]
            if how == "rename":
                tree.move(place, (place[0], place[1] + b".old"))
            elif how == "metadata":
                tree.alter(id, mode=row.mode ^ 0o100)
            else:
                tree.add(*place, row.mode, size=row.size, content=row.content)
            assert judged(it, guard, past.commit(tree), applied) is None


@pytest.mark.parametrize("how", ["in place", "rename over", "rename and write", "write and remove"])
def test_ransom_is_held(tmpfs_dir: Path, how: str) -> None:
    """Whichever way content goes, it is held soon after half of the files (deletions: a third)."""
    with rig(tmpfs_dir / "rig") as it:
        guard, past = Guard(LIMITS, it.clock, TREE), Past(it)
        tree = wide(it)
        applied = past.commit(tree).number
        files = sorted(item for item in tree.names.items() if item[0][0] != ROOT)
        done = 0
        for (parent, name), id in files:
            done += 1
            it.clock.advance(0.2)
            if how == "in place":
                tree.write(id, b"ransom %d" % done)
            elif how == "rename over":
                tree.file(parent, b"t", b"ransom %d" % done)
                tree.move((parent, b"t"), (parent, name))
            elif how == "rename and write":
                tree.move((parent, name), (parent, name + b".enc"))
                tree.write(id, b"ransom %d" % done)
            else:
                tree.file(parent, name + b".enc", b"ransom %d" % done)
                tree.remove(parent, name)
            target = past.commit(tree)
            if judged(it, guard, target, applied) is not None:
                break
            applied = target.number
        assert (64 if how == "write and remove" else 101) == done


def test_a_file_that_is_written_all_the_time_is_one_file(tmpfs_dir: Path) -> None:
    """Thousands of rewritings of a few files are a few files, and history is not asked at all."""
    with rig(tmpfs_dir / "rig") as it, it.catalog.reader() as reader:
        past, asked = Past(it), 0
        guard = Guard(LIMITS, it.clock, TREE)
        tree = wide(it, 2, 20)
        applied = past.commit(tree).number
        hot = [id for id, row in tree.objects.items() if row.kind == stat.S_IFREG][:10]
        for number in range(1000):
            it.clock.advance(0.5)
            tree.write(hot[number % 10], b"%d" % number)
            target = past.commit(tree)
            assert guard.judge(reader, target, Reached(applied, NOTHING, NOTHING)) is None
            applied = target.number
            asked += guard.base != NOTHING
        assert 0 == asked
