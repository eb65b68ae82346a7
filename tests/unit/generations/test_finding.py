"""What stood where, and when."""

from __future__ import annotations

import fnmatch
import random
import re
import time
from pathlib import Path

import pytest

from agent.core.commit import Changes
from agent.core.errors import UsageError
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from agent.core.rows import name_key
from agent.generations.comparing.change import differing
from agent.generations.finding.finding import Finder, FindLimits
from agent.generations.finding.pattern import parse_pattern
from agent.generations.finding.readable import ReadableMoments
from agent.generations.finding.ways import WayLimits, Ways
from agent.store.catalog.catalog import Catalog
from fakes.kept_trees import KeptTrees
from fakes.store_fakes import begun, dir_row, expire, file_row, header, name_row, number

#: ``(path, first, last, versions, gone)``.
Told = tuple[bytes, int, int, int, int | None]


def found(catalog: Catalog, text: bytes, low: CommitNumber = NOTHING, high: CommitNumber | None = None) -> list[Told]:
    """What a search says."""
    with catalog.reader() as reader:
        findings = Finder(reader, ReadableMoments(reader, low, high)).find(parse_pattern(text))
    return [(one.path, one.first, one.last, one.versions, one.gone) for one in findings.found]


def expected_of(history: KeptTrees, moments: list[CommitNumber], matches: re.Pattern[str]) -> list[Told]:
    """The same, by looking at every moment that can be read."""
    trees = {moment: history.tree(moment) for moment in moments}
    paths = sorted({path for tree in trees.values() for path in tree if matches.fullmatch(path.decode())})
    told: list[Told] = []
    for path in paths:
        seen = [moment for moment in moments if path in trees[moment]]
        versions, before = 0, None
        for moment in moments:
            row = trees[moment].get(path)
            if row is not None and (before is None or differing(before, row)):
                versions += 1
            before = row
        gone = next((moment for moment in moments if moment > seen[-1]), None)
        told.append((path, seen[0], seen[-1], versions, gone))
    return told


PATTERNS = {
    b"a": r"(.*/)?a",
    b"a/b": r"a/b",
    b"/c": r"c",
    b"*": r"(.*/)?[^/]+",
    b"a*": r"(.*/)?a[^/]*",
    b"a/*": r"a/[^/]+",
    b"*/a": r"[^/]+/a",
    b"**/a/b": r"(.*/)?a/b",
    b"**/a/*": r"(.*/)?a/[^/]+",
    b"a/**": r"a/.+",
    b"a/**/b": r"a/(.*/)?b",
    b"[ab]/?": r"[ab]/[^/]",
    b"**": r".+",
    b"*/*/c": r"[^/]+/[^/]+/c",
}


@pytest.mark.parametrize("part", range(4))
def test_what_is_found_is_what_stood_in_the_moments_that_can_be_read(tmp_path: Path, seed: int, part: int) -> None:
    """Through moves, replacements, expiry and kept commits, each pattern finds what a look over every state finds."""
    chance = random.Random(seed * 100 + part)
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog:
        history = KeptTrees(catalog, chance)
        history.run(80)
        history.upkeep()
        moments = history.readable()
        low, high = sorted((chance.choice(moments), chance.choice(moments)))
        within = [moment for moment in moments if low <= moment <= high]
        for text, expression in PATTERNS.items():
            matches = re.compile(expression)
            assert (text, expected_of(history, moments, matches)) == (text, found(catalog, text))
            assert (text, expected_of(history, within, matches)) == (text, found(catalog, text, low, high))


def test_patterns_match_names_as_fnmatch_does(seed: int) -> None:
    """Stars, question marks and classes, side by side in any order."""
    chance = random.Random(seed)
    for _ in range(3000):
        text = "".join(chance.choice(["a", "b", "*", "?", "[ab]", "[!a]", "."]) for _ in range(chance.randrange(1, 7)))
        if "**" in text or text in (".", ".."):
            continue
        pattern = re.compile(parse_pattern(b"/" + text.encode()).compiled())
        for _ in range(10):
            name = "".join(chance.choice("ab.") for _ in range(chance.randrange(1, 7)))
            assert (text, name, fnmatch.fnmatchcase(name, text)) == (text, name, bool(pattern.fullmatch(name.encode())))


def test_a_pattern_of_many_stars_costs_no_more_than_its_length() -> None:
    """No place is tried for a star but the first that fits."""
    pattern = parse_pattern(b"*a" * 60 + b"*b").compiled()
    assert pattern.fullmatch(b"a" * 255) is None


def _naive(pattern: list[str], path: list[str]) -> bool:
    """Each ``**`` tried at every depth."""
    if not pattern:
        return not path
    if pattern == ["**"]:
        return bool(path)
    if pattern[0] == "**":
        return any(_naive(pattern[1:], path[at:]) for at in range(len(path)))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and _naive(pattern[1:], path[1:])


@pytest.mark.parametrize("seed", range(20))
def test_any_number_of_directories_is_any_number(seed: int) -> None:
    """Paths match as if each ``**`` were tried at every depth."""
    chance = random.Random(seed)
    for _ in range(200):
        path = [chance.choice("abc") for _ in range(chance.randint(1, 7))]
        pattern = [chance.choice(["a", "b", "?", "**"]) for _ in range(chance.randint(1, 6))]
        if "**" not in pattern or pattern.count("**") > 4:
            pattern = ["**", "a"]
        found = parse_pattern("/".join(pattern).encode()).compiled().fullmatch("/".join(path).encode())
        assert (seed, pattern, path, _naive(pattern, path)) == (seed, pattern, path, found is not None)


def test_a_pattern_of_many_depths_costs_no_more_than_a_path_is_deep() -> None:
    """Else one question, of another node's too, about one deep path stood the whole agent still for days."""
    matches = parse_pattern(b"**/a/**/a/**/a/**/z").compiled().fullmatch
    began = time.process_time()
    assert None is matches(b"a/" * 2_000 + b"b")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text", [b"", b"/", b".", b"../a", b"a/../b", b"a\0b", b"x" * 5000, b"**/a/**/b/**/c/**/d/**/e"]
)
def test_what_can_be_no_path_is_refused(text: bytes) -> None:
    """Nothing above the root, nothing endless."""
    with pytest.raises(UsageError, match="below the root"):
        parse_pattern(text)


def test_signs_of_patterns_may_be_meant_as_they_are(tmp_path: Path) -> None:
    """By a backslash, or because that very path is there."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        names = [name_row(ROOT, b"a[1].txt", 2), name_row(ROOT, b"a1.txt", 3), name_row(ROOT, b"b\xff*", 4)]
        catalog.write(Changes((file_row(2), file_row(3), file_row(4), *names)), header(2))
        assert [b"a1.txt", b"a[1].txt"] == [path for path, *_ in found(catalog, b"a[1].txt")]
        assert [b"a[1].txt"] == [path for path, *_ in found(catalog, rb"a\[1\].txt")]
        assert [b"b\xff*"] == [path for path, *_ in found(catalog, b"*\xff\\*")]


def test_the_versions_of_a_path_and_when_each_stood(tmp_path: Path) -> None:
    """Of a file whose directory was renamed under it, each version with its first and last moment."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        catalog.write(Changes((dir_row(2), file_row(3, 5), name_row(1, b"d", 2), name_row(2, b"f", 3))), header(2))
        catalog.write(Changes((file_row(3, 6),)), header(3))
        catalog.write(Changes((name_row(1, b"e", 2),), (name_key(1, b"d"),)), header(4))
        catalog.write(Changes((file_row(3, 7),)), header(5))
        with catalog.reader() as reader:
            finder = Finder(reader, ReadableMoments(reader))
            (old, new) = (finder.history(path) for path in (b"d/f", b"e/f"))
        assert old is not None
        assert new is not None
        told = [[(one.first, one.last, one.row.size) for one in found.history] for found in (old, new)]
        assert [
            [(number(2), number(2), 5), (number(3), number(3), 6)],
            [(number(4), number(4), 6), (number(5), number(5), 7)],
        ] == told
        assert (number(4), None) == (old.gone, new.gone)


def test_more_paths_than_are_given_are_said(tmp_path: Path) -> None:
    """What is left out is not left out quietly; of a path's versions the newest are given, and all are counted."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        rows = [row for at in range(9) for row in (file_row(10 + at), name_row(ROOT, b"f%d" % at, 10 + at))]
        catalog.write(Changes(tuple(rows)), header(2))
        for seq in range(3, 8):
            catalog.write(Changes((file_row(10, seq),)), header(seq))
        with catalog.reader() as reader:
            finder = Finder(reader, ReadableMoments(reader), FindLimits(paths=4, versions=2))
            findings, one = finder.find(parse_pattern(b"f*")), finder.history(b"f0")
            few = Finder(reader, ReadableMoments(reader), FindLimits(versions=3, all_versions=4)).find(
                parse_pattern(b"f*")
            )
        assert (4, True) == (len(findings.found), findings.is_cut)
        assert [3, 1, 1] == [len(one.history) for one in few.found][:3]
        assert one is not None
        assert (6, [6, 7]) == (one.versions, [version.row.size for version in one.history])


def test_a_directory_that_had_too_many_names_is_said(tmp_path: Path) -> None:
    """Its newest ways are followed; that others were left out is not left out quietly."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        catalog.write(Changes((dir_row(2), file_row(3), name_row(ROOT, b"d2", 2), name_row(2, b"f", 3))), header(2))
        for seq in range(3, 9):
            catalog.write(
                Changes((name_row(ROOT, b"d%d" % seq, 2),), (name_key(ROOT, b"d%d" % (seq - 1)),)), header(seq)
            )
        with catalog.reader() as reader:
            moments = ReadableMoments(reader)
            few, all_of_them = Ways(reader, moments, WayLimits(names=3)), Ways(reader, moments)
            assert ({b"d8/", b"d7/", b"d6/"}, True) == ({path for path, *_ in few.to(ObjectId(2))}, few.is_cut)
            assert (7, False) == (len(all_of_them.to(ObjectId(2))), all_of_them.is_cut)


def test_what_no_moment_sees_any_more_is_not_found(tmp_path: Path) -> None:
    """Rows that wait for their expiry are offered to nobody."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        catalog.write(Changes((file_row(2), name_row(ROOT, b"f", 2))), header(2))
        catalog.write(Changes((), (name_key(ROOT, b"f"),)), header(3))
        assert [(b"f", number(2), number(2), 1, number(3))] == found(catalog, b"f")
        expire(catalog, number(3))
        assert [] == found(catalog, b"f")
