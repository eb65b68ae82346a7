"""Patches: what is written is read, what is rebuilt is what was meant, and nothing else is taken."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.chunks import MAX_CHUNK, name_of
from agent.core.errors import WireError
from agent.core.patch import (
    BASES_MAX,
    CHECK,
    PAGE,
    RUNS_MAX,
    PatchRange,
    bases_of,
    between,
    head_and_body,
    joined,
    literal_bytes,
    parse,
    rebuild,
)

BASE = bytes(range(256)) * 64
NAME = name_of(BASE)
OTHER = name_of(b"other")


def a_patch(raw: bytes, *runs: PatchRange) -> tuple[bytes, bytes]:
    """Head and body."""
    return head_and_body(runs, raw)


def forged(body: bytes, bases: tuple[bytes, ...] = (NAME,)) -> bytes:
    """The head that a liar would put before a body, with a check that is right."""
    from agent.core import patch

    names = bytes([len(bases)]) + b"".join(bases)
    return names + patch._check(names, body)


@st.composite
def made(draw: st.DrawFn) -> tuple[bytes, dict[bytes, bytes], tuple[PatchRange, ...]]:
    """Bytes, the bases that they are made of, and how: ranges are cut out one after the other, the naive way."""
    bases = {name_of(raw): raw for raw in draw(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=5))}
    raw, runs = b"", []
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            literal = draw(st.binary(min_size=1, max_size=50))
            runs.append(PatchRange(b"", 0, len(literal)))
            raw += literal
        else:
            name = draw(st.sampled_from(sorted(bases)))
            start = draw(st.integers(0, len(bases[name]) - 1))
            length = draw(st.integers(1, len(bases[name]) - start))
            runs.append(PatchRange(name, start, length))
            raw += bases[name][start : start + length]
    return raw, bases, tuple(runs)


@given(made())
def test_any_patch_rebuilds_what_it_was_made_of(
    example: tuple[bytes, dict[bytes, bytes], tuple[PatchRange, ...]],
) -> None:
    """As it was given, and with neighbours joined; its length and bases are told before."""
    raw, bases, runs = example
    for told in (runs, joined(runs)):
        if any(run.base for run in told):
            head, body = head_and_body(told, raw)
            patch = parse(head, body, len(raw))
            assert (raw, len(raw)) == (rebuild(patch, bases.__getitem__), patch.length)
            assert {run.base for run in told if run.base} == set(bases_of(head)) == set(patch.bases)


@given(made(), st.data())
def test_an_overlay_is_the_same_patch(
    example: tuple[bytes, dict[bytes, bytes], tuple[PatchRange, ...]], data: st.DataObject
) -> None:
    """Where a patch says that it can be laid over its base, doing so gives the same bytes."""
    raw, bases, runs = example
    if not joined(runs):
        return
    patch = parse(*head_and_body(joined(runs), raw), len(raw))
    overlay = patch.overlay()
    if overlay is not None and len(bases[patch.bases[0]]) == len(raw):
        out = bytearray(bases[patch.bases[0]])
        for at, part in overlay:
            out[at : at + len(part)] = part
        assert raw == bytes(out)


@given(st.binary(max_size=3 * PAGE), st.sets(st.integers(0, 4)), st.integers(0, 2 * PAGE))
def test_pages_that_differ_are_what_travels(tail: bytes, changed: set[int], cut: int) -> None:
    """Between two chunks of any lengths: what is rebuilt is the new one, and no page that is the same is literal."""
    old = bytes(4 * PAGE) + tail
    new = bytearray(old[: len(old) - cut])
    for page in changed:
        if page * PAGE < len(new):
            new[page * PAGE] ^= 1
    runs = between(bytes(new), NAME, old)
    if runs:
        patch = parse(*head_and_body(runs, bytes(new)), len(new))
        assert bytes(new) == rebuild(patch, lambda _: old)
        assert literal_bytes(runs) <= PAGE * (len(changed) + 1)
    else:
        assert all(new[at : at + 256] != old[at : at + 256] for at in range(0, len(new), 256))


@given(st.integers(0, 4 * PAGE), st.integers(1, 2 * PAGE))
def test_what_differs_is_told_to_the_byte(at: int, length: int) -> None:
    """Wherever it begins: at each end at most so many equal bytes travel as are not worth a copy."""
    old = bytes(4 * PAGE)
    changed = min(length, len(old) - at)
    new = old[:at] + b"x" * changed + old[at + changed :]
    runs = between(new, NAME, old)
    assert literal_bytes(runs) <= changed + 62
    if runs:
        assert new == rebuild(parse(*head_and_body(runs, new), len(new)), lambda _: old)


@given(st.binary(max_size=200), st.integers(-5, 300))
def test_any_bytes_are_a_patch_or_refused(body: bytes, length: int) -> None:
    """Never another error, whatever the body is, and the length is what was claimed."""
    try:
        patch = parse(forged(body), body, length)
        raw = rebuild(patch, lambda _: BASE)
    except WireError:
        return
    assert length == len(raw)


@given(made(), st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_patch_is_noticed(
    example: tuple[bytes, dict[bytes, bytes], tuple[PatchRange, ...]], at: int, flip: int
) -> None:
    """Any byte of head or body that is another."""
    raw, _, runs = example
    if not joined(runs):
        return
    head, body = head_and_body(runs, raw)
    damaged = bytearray(head + body)
    damaged[at % len(damaged)] ^= flip
    with pytest.raises(WireError):
        parse(bytes(damaged[: len(head)]), bytes(damaged[len(head) :]), len(raw))


COPY, LITERAL = struct.Struct(">BBII"), struct.Struct(">BI")
WHOLE = COPY.pack(1, 0, 0, len(BASE))


@pytest.mark.parametrize(
    ("body", "length"),
    [
        (b"", 0),
        (WHOLE, len(BASE) - 1),
        (COPY.pack(1, 1, 0, 10), 10),
        (COPY.pack(1, 0, 0, 0) + WHOLE, len(BASE)),
        (LITERAL.pack(0, 5) + b"1234" + WHOLE, len(BASE) + 5),
        (LITERAL.pack(0, 4) + b"1234", 4),
        (COPY.pack(1, 0, 0, MAX_CHUNK + 1), MAX_CHUNK + 1),
        (COPY.pack(1, 0, 0, MAX_CHUNK) * 2, 2 * MAX_CHUNK),
        (COPY.pack(1, 0, 0, 1) * (RUNS_MAX + 1), RUNS_MAX + 1),
        (bytes([7]) + WHOLE, len(BASE)),
        (WHOLE[:-1], len(BASE)),
    ],
)
def test_impossible_bodies_are_refused(body: bytes, length: int) -> None:
    """Of another length, of unknown kinds or bases, cut short, too long, too many."""
    with pytest.raises(WireError):
        parse(forged(body), body, length)


@pytest.mark.parametrize("start", [1, len(BASE), (1 << 32) - len(BASE)])
def test_a_range_outside_its_base_is_refused(start: int) -> None:
    """Found when the base is at hand."""
    body = COPY.pack(1, 0, start, len(BASE))
    with pytest.raises(WireError, match="outside its base"):
        rebuild(parse(forged(body), body, len(BASE)), lambda _: BASE)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        bytes([0]) + bytes(CHECK),
        bytes([BASES_MAX + 1]) + bytes(32 * (BASES_MAX + 1) + CHECK),
        bytes([2]) + NAME + bytes(CHECK),
        forged(WHOLE, (NAME, NAME)),
        forged(WHOLE, (NAME, OTHER)),
    ],
)
def test_impossible_bases_are_refused(head: bytes) -> None:
    """None, too many, cut short, twice the same, one that is not used."""
    with pytest.raises(WireError):
        parse(head, WHOLE, len(BASE))


def test_nothing_to_copy_is_no_patch() -> None:
    """Joined runs without a base are none."""
    assert () == joined([PatchRange(b"", 0, 5), PatchRange(b"", 0, 6)])
    call: Callable[[], object] = lambda: between(b"x" * PAGE, NAME, b"y" * PAGE)  # noqa: E731
    assert () == call()
