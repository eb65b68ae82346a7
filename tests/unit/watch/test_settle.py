"""Settle: merging, bounds, order, marks."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.watch.hint import Hint, Look
from agent.watch.settle import Settle
from fakes.watch_fakes import covers

ENTRY, CHILDREN, SUBTREE = Look.ENTRY, Look.CHILDREN, Look.SUBTREE


def entry(path: bytes, moved_from: bytes | None = None) -> Hint:
    """The plainest hint."""
    return Hint(path, ENTRY, b"", moved_from)


def everything(settle: Settle, now: float = 1e6, limit: int = 10) -> list[Hint]:
    """All that is held, as capture would take it."""
    out: list[Hint] = []
    while taken := settle.ready(now, limit):
        out += taken
    return out


def test_a_hint_waits_for_quiet() -> None:
    """It is handed out once nothing was said about it for 5 ms."""
    settle = Settle(quiet=0.005)
    settle.add([entry(b"a")], 1.0)
    settle.add([entry(b"a")], 1.004)
    assert [] == settle.ready(1.006, 10)
    assert [entry(b"a")] == settle.ready(1.0091, 10)
    assert [] == settle.ready(2.0, 10)


def test_a_busy_path_does_not_wait_for_ever() -> None:
    """After 500 ms it is handed out although it was just touched."""
    settle = Settle(quiet=0.005, longest=0.5)
    handed_out_at = None
    for step in range(300):
        now = 1.0 + step * 0.002
        settle.add([entry(b"log")], now)
        if settle.ready(now, 10):
            handed_out_at = now
            break
    assert handed_out_at is not None
    assert 0.49 <= handed_out_at - 1.0 <= 0.51


def test_next_due() -> None:
    """None without hints; else when to come again, never in the past."""
    settle = Settle(quiet=0.005)
    assert None is settle.next_due(1.0)
    settle.add([entry(b"a")], 1.0)
    assert 1.005 == settle.next_due(1.0)
    assert 3.0 == settle.next_due(3.0)
    settle.ready(3.0, 10)
    assert None is settle.next_due(3.0)


def test_next_due_is_now_after_a_flush() -> None:
    """What was flushed is ready at once."""
    settle = Settle()
    settle.add([entry(b"a")], 1.0)
    settle.flush(settle.mark())
    assert 1.0 == settle.next_due(1.0)


def test_merging_keeps_the_newest_handle_and_counts() -> None:
    """Equal paths are one hint; a handle that is told later replaces an earlier one, silence does not."""
    settle = Settle()
    settle.add([Hint(b"a", ENTRY, b"h1"), Hint(b"a", ENTRY, b"h2"), Hint(b"a", ENTRY)], 1.0)
    assert [Hint(b"a", ENTRY, b"h2")] == everything(settle)
    assert (3, 2) == (settle.added, settle.merged)


def test_objects_by_handle_are_apart_from_the_root() -> None:
    """A hint without a path but with a handle is about that object; the root's own hint is another."""
    settle = Settle()
    settle.add([Hint(b"", ENTRY, b"h/1"), Hint(b"", ENTRY, b"h/1"), Hint(b"", ENTRY, b"h/2"), entry(b"")], 1.0)
    assert 3 == settle.held()
    assert {b"h/1", b"h/2", b""} == {hint.handle for hint in everything(settle)}


def test_a_busy_directory_stands_for_its_children() -> None:
    """From the 257th name on, one CHILDREN hint; what is inside a child directory stays."""
    settle = Settle()
    settle.add([entry(b"d/sub/deep"), Hint(b"d/tree", SUBTREE)], 1.0)
    settle.add([entry(b"d/%d" % number) for number in range(300)], 1.0)
    assert [Hint(b"d", CHILDREN), entry(b"d/sub/deep"), Hint(b"d/tree", SUBTREE)] == everything(settle)
    assert 1 == settle.collapsed


def test_a_subtree_swallows_what_is_below() -> None:
    """Held before and said after; a name that only begins alike is not below."""
    settle = Settle()
    settle.add([entry(b"d/a/b"), entry(b"d/a"), entry(b"da"), Hint(b"d", SUBTREE), entry(b"d/c"), entry(b"d")], 1.0)
    assert [Hint(b"d", SUBTREE), entry(b"da")] == everything(settle)


def test_parents_come_before_children_and_with_them() -> None:
    """A directory that is still busy comes with its quiet child, in front of it."""
    settle = Settle(quiet=0.005)
    settle.add([entry(b"d"), entry(b"d/sub"), entry(b"d/sub/file")], 1.0)
    settle.add([entry(b"d"), entry(b"d/sub")], 1.004)
    assert [entry(b"d"), entry(b"d/sub"), entry(b"d/sub/file")] == settle.ready(1.0055, 1)


def test_both_names_of_a_move_come_together() -> None:
    """Whichever is due first brings the other."""
    for touched in (b"new", b"old"):
        settle = Settle(quiet=0.005)
        settle.add([entry(b"old"), entry(b"new", b"old")], 1.0)
        settle.add([entry(touched)], 1.004)
        assert [entry(b"new", b"old"), entry(b"old")] == settle.ready(1.0055, 1)


def test_a_chain_of_moves_keeps_its_ends() -> None:
    """a → b → c is a move from a to c, and b is looked at."""
    settle = Settle()
    settle.add([entry(b"b", b"a"), entry(b"c", b"b")], 1.0)
    assert [entry(b"b"), entry(b"c", b"a")] == everything(settle)


def test_there_and_back_is_no_move() -> None:
    """a → b → a: both names are looked at."""
    settle = Settle()
    settle.add([entry(b"b", b"a"), entry(b"a", b"b")], 1.0)
    assert [entry(b"a"), entry(b"b")] == everything(settle)


def test_the_last_of_several_moves_to_one_name_counts() -> None:
    """Editors save so again and again; the earlier temporary names are looked at."""
    settle = Settle()
    settle.add([entry(b"file", b"tmp1"), entry(b"file", b"tmp2")], 1.0)
    assert [entry(b"file", b"tmp2"), entry(b"tmp1")] == everything(settle)


def test_what_is_held_follows_a_directory_that_is_renamed() -> None:
    """A write below the old name, told before the rename, is looked at below the new one."""
    settle = Settle()
    settle.add([Hint(b"old/sub/file", ENTRY, b"h"), Hint(b"old/tree", SUBTREE), entry(b"new", b"old")], 1.0)
    found = everything(settle)
    assert Hint(b"new/sub/file", ENTRY, b"h") in found
    assert Hint(b"new/tree", SUBTREE) in found
    assert entry(b"new", b"old") in found


def test_exchanged_directories_are_both_looked_at() -> None:
    """The kernel tells an exchange as two moves: what was written below either name before is found."""
    settle = Settle()
    settle.add([entry(b"a/x"), entry(b"b/y"), entry(b"b", b"a"), entry(b"a", b"b")], 1.0)
    found = everything(settle)
    assert [] == [path for path in (b"a/x", b"b/x", b"a/y", b"b/y") if not covers(found, path)]


def test_a_move_out_of_a_subtree_is_walked() -> None:
    """What disappeared in the old place's SUBTREE can only be found in the new place by a walk."""
    settle = Settle()
    settle.add([Hint(b"fresh", SUBTREE), entry(b"fresh/dir/file"), entry(b"kept", b"fresh/dir")], 1.0)
    assert Hint(b"kept", SUBTREE, b"", b"fresh/dir") in everything(settle)


def test_a_mark_passes_when_all_before_is_handed_out() -> None:
    """What came after the mark does not hold it back."""
    settle = Settle(quiet=0.005)
    settle.add([entry(b"a"), entry(b"b")], 1.0)
    mark = settle.mark()
    settle.add([entry(b"c")], 1.004)
    assert not settle.passed(mark)
    assert [entry(b"a")] == settle.ready(1.0055, 1)
    assert not settle.passed(mark)
    assert [entry(b"b")] == settle.ready(1.0055, 1)
    assert settle.passed(mark)
    assert 1 == settle.held()


def test_a_mark_on_nothing_has_passed() -> None:
    """There is nothing to wait for."""
    settle = Settle()
    assert settle.passed(settle.mark())


def test_a_touch_after_the_mark_keeps_the_age() -> None:
    """A path that is written all the time still counts as said before."""
    settle = Settle()
    settle.add([entry(b"a")], 1.0)
    mark = settle.mark()
    settle.add([entry(b"a")], 1.001)
    assert not settle.passed(mark)


def test_flush_makes_ready_what_a_mark_covers_and_nothing_else() -> None:
    """A barrier does not wait for quiet."""
    settle = Settle()
    settle.add([entry(b"a"), Hint(b"", ENTRY, b"h")], 1.0)
    mark = settle.mark()
    settle.add([entry(b"b")], 1.0)
    settle.flush(mark)
    assert [Hint(b"", ENTRY, b"h"), entry(b"a")] == settle.ready(1.0, 10)
    assert settle.passed(mark)
    assert [entry(b"b")] == everything(settle)


def test_flush_of_an_older_mark_takes_nothing_back() -> None:
    """Two barriers at once, in whatever order they come."""
    settle = Settle()
    settle.add([entry(b"a")], 1.0)
    older = settle.mark()
    settle.add([entry(b"b")], 1.0)
    newer = settle.mark()
    settle.flush(newer)
    settle.flush(older)
    assert [entry(b"a"), entry(b"b")] == settle.ready(1.0, 10)


def test_what_is_returned_keeps_its_age_and_waits_for_quiet() -> None:
    """A file that changed while it was read holds back the marks from before."""
    settle = Settle(quiet=0.005)
    settle.mark()
    settle.add([entry(b"a")], 1.0)
    mark = settle.mark()
    taken = settle.ready(2.0, 10)
    assert settle.passed(mark)
    settle.returned(taken, 2.0)
    assert not settle.passed(mark)
    assert [] == settle.ready(2.004, 10)
    assert taken == settle.ready(2.0051, 10)
    assert settle.passed(mark)


def test_a_returned_hint_makes_a_younger_one_old() -> None:
    """The path was hinted again meanwhile: it still counts as said before the mark."""
    settle = Settle()
    settle.add([entry(b"d/a")], 1.0)
    mark = settle.mark()
    taken = settle.ready(2.0, 10)
    settle.add([Hint(b"d", SUBTREE)], 2.0)
    settle.returned(taken, 2.0)
    assert not settle.passed(mark)
    assert 1 == settle.held()
    everything(settle)
    assert settle.passed(mark)


def test_over_the_limit_the_deepest_fold_first() -> None:
    """The bound holds after every call, and shallow names stay what they are if they can."""
    settle = Settle(limit=100, busy=1000)
    for number in range(400):
        settle.add([entry(b"top"), entry(b"a/b/c%d/file" % (number % 7)), entry(b"a/b/c0/%d" % number)], 1.0)
        assert settle.held() <= 100
    found = everything(settle)
    assert entry(b"top") in found
    assert covers(found, b"a/b/c3/file")
    assert covers(found, b"a/b/c0/399")


def test_over_the_limit_by_handles_alone() -> None:
    """At worst the root is walked."""
    settle = Settle(limit=10)
    settle.add([Hint(b"", ENTRY, b"%d" % number) for number in range(100)], 1.0)
    assert settle.held() <= 10
    assert Hint(b"", SUBTREE) in everything(settle)


def test_what_merged_takes_no_room() -> None:
    """Directories that collapse again and again leave nothing in the queue (law 9)."""
    settle = Settle(limit=1000, busy=4)
    for number in range(900):
        settle.add([entry(b"%d/%d" % (number, child)) for child in range(6)], 1.0)
    assert len(settle._queue) <= 2000
    assert 900 == settle.held()


_names = st.sampled_from([b"a", b"b", b"c"])
_paths = st.lists(_names, min_size=0, max_size=4).map(b"/".join)
_inner = st.lists(_names, min_size=1, max_size=4).map(b"/".join)
_hints = st.one_of(
    st.builds(Hint, path=_inner, look=st.just(ENTRY), moved_from=_inner),
    st.builds(Hint, path=_paths, look=st.sampled_from(list(Look))),
    st.builds(Hint, path=_inner, look=st.sampled_from(list(Look)), handle=st.sampled_from([b"h1", b"h2"])),
)
_steps = st.lists(st.tuples(st.sampled_from(["add", "add", "mark", "flush", "ready", "return"]), _hints), max_size=60)


@settings(max_examples=150)
@given(_steps, st.integers(2, 30), st.integers(1, 6), st.integers(1, 5))
def test_whatever_happens(steps: list[tuple[str, Hint]], limit: int, busy: int, batch: int) -> None:
    """Bounded after every step; parents first and moves together in every batch; each mark passes exactly when all that was
    hinted before it was handed out; and in the end every hinted path was handed out at least as deep."""
    settle = Settle(quiet=0.005, longest=0.05, limit=limit, busy=busy)
    now, owed, marks = 1.0, dict[Hint, int](), list[int]()
    out: list[Hint] = []

    def take(batch: int) -> list[Hint]:
        taken = settle.ready(now, batch)
        paths = [hint.path for hint in taken]
        assert sorted(paths) == paths
        held = settle._held
        for hint in taken:
            assert hint.moved_from is None or hint.moved_from not in held
            assert [] == [path for path in _above(hint.path) if path in held]
        out.extend(taken)
        return taken

    for action, hint in steps:
        now += 0.003
        if action == "add":
            settle.add([hint], now)
            owed[hint] = len(out)
        elif action == "mark":
            marks.append(settle.mark())
        elif action == "flush" and marks:
            settle.flush(marks[-1])
        else:
            taken = take(batch)
            if action == "return":
                settle.returned(taken, now)
        assert settle.held() <= limit
        ages = [waiting.age for waiting in settle._all()]
        assert [not any(age <= mark for age in ages) for mark in marks] == [settle.passed(mark) for mark in marks]
    now += 10.0
    while take(batch):
        pass
    assert (0, 0, {}, {}) == (settle.held(), settle._covers, settle._directories, settle._moved_to)
    assert all(settle.passed(mark) for mark in marks)
    assert [] == [hint for hint, since in owed.items() if not _looked_at(hint, out[since:])]


def _above(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]


def _looked_at(hint: Hint, out: list[Hint]) -> bool:
    if not covers(out, hint.path) or (hint.moved_from is not None and not covers(out, hint.moved_from)):
        return False
    wide = [
        one for one in out if one.look is SUBTREE and (not one.path or (hint.path + b"/").startswith(one.path + b"/"))
    ]
    if hint.look is SUBTREE:
        return bool(wide)
    if hint.look is CHILDREN:
        return bool(wide) or any(one.path == hint.path and one.look >= CHILDREN for one in out)
    return True


def test_it_is_quick() -> None:
    """60,000 hints cost about 0.1 s; the bound here is wide, for machines that are busy."""
    hints = [Hint(b"d%d/e/f%d" % (number // 100, number), ENTRY, b"handle") for number in range(60_000)]
    settle = Settle()
    begun = time.process_time()
    for start in range(0, len(hints), 1000):
        settle.add(hints[start : start + 1000], 1.0)
    assert time.process_time() - begun < 1.0
    assert 60_000 == settle.held()


def test_a_path_that_belonged_to_two_directories_means_both() -> None:
    """Directories above were exchanged between two events: whoever knows directories by handle must hear of both."""
    settle = Settle()
    settle.add(
        [Hint(b"d/a", Look.ENTRY, b"one", within=b"first"), Hint(b"d/a", Look.ENTRY, b"two", within=b"second")], 0.0
    )
    handed = settle.ready(1.0, 10)
    assert [(b"d/a", b"first", b"one"), (b"d/a", b"second", b"two")] == [
        (hint.path, hint.within, hint.handle) for hint in handed
    ]


def test_a_busy_directory_is_known_by_its_handle() -> None:
    """Where entries told it, so that their look finds the directory under whatever name it has by then."""
    settle = Settle(busy=2)
    settle.add([Hint(b"d/%d" % number, Look.ENTRY, within=b"first") for number in range(4)], 0.0)
    settle.add([Hint(b"d/5", Look.ENTRY, within=b"second")], 0.0)
    handed = settle.ready(1.0, 10)
    assert [(b"d", Look.CHILDREN)] * 2 == [(hint.path, hint.look) for hint in handed]
    assert [b"first", b"second"] == [hint.handle for hint in handed]


def test_what_was_said_of_content_is_kept() -> None:
    """Of hints that become one, one that may be about content is enough, in any order; what was given back may be too."""
    for first, second in ((True, False), (False, True), (False, False)):
        settle = Settle(quiet=0.0)
        settle.add([Hint(b"a", Look.ENTRY, content=first), Hint(b"", Look.ENTRY, b"h", content=first)], 0.0)
        settle.add([Hint(b"a", Look.ENTRY, content=second), Hint(b"", Look.ENTRY, b"h", content=second)], 0.0)
        assert [first or second] * 2 == [hint.content for hint in settle.ready(1.0, 10)]


def test_a_path_that_is_too_long_is_looked_for_where_it_begins() -> None:
    """No more than a path of the system takes is held of it, nor of where it came from."""
    deep = b"/".join([b"d" * 250] * 3000)
    near = deep[: 15 * 251 + 250]
    settle = Settle()
    settle.add([entry(deep), Hint(deep + b"/new", ENTRY, b"handle", b"old", 0, b"within")], 1.0)
    assert [Hint(near, SUBTREE), Hint(b"old", SUBTREE)] == everything(settle)
    settle.add([entry(b"new", moved_from=deep)], 1.0)
    assert [Hint(near, SUBTREE), Hint(b"new", SUBTREE)] == everything(settle)


def test_what_is_held_is_bounded_in_bytes() -> None:
    """Long paths fold sooner than many do, and nothing of them is forgotten."""
    settle = Settle(most=100_000, busy=1000)
    paths = [b"/".join([b"%03d" % number, *[b"d" * 250] * 10, b"f"]) for number in range(300)]
    settle.add(map(entry, paths), 1.0)
    assert settle.bytes_held <= 100_000
    folded = everything(settle)
    assert all(covers(folded, path) for path in paths)


def test_nothing_is_counted_that_is_not_held() -> None:
    """After all was handed out there is room for as much again."""
    settle = Settle(most=100_000, busy=4)
    for turn in range(20):
        for depth in range(1, 40):
            settle.add([entry(b"/".join([b"%d" % turn, *[b"d" * 20] * depth]))], float(turn))
            settle.add([entry(b"x/%d" % depth, moved_from=b"/".join([b"%d" % turn, b"d"]))], float(turn))
        everything(settle)
    assert 0 == settle.bytes_held
