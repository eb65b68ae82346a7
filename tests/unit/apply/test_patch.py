"""What differs between two chunk lists, offset by offset."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.apply.patch import changed, changed_bytes
from agent.core.chunks import DATA, HOLE, Entry

_entries = st.lists(
    st.builds(lambda kind, length, name: Entry(kind, length, bytes([name]) * 32 if kind == DATA else b""),
              st.sampled_from([DATA, HOLE]), st.integers(1, 3), st.integers(0, 3)),
    max_size=12,
)  # fmt: skip


def _bytes(entries: list[Entry]) -> bytearray:
    out = bytearray()
    for entry in entries:
        out += bytes([entry.name[0] + 1] if entry.name else [0]) * entry.length
    return out


@given(_entries, _entries)
def test_applying_what_changed_gives_the_new_content(old: list[Entry], new: list[Entry]) -> None:
    """Truncate or extend with zeros, write the changed entries: the new bytes stand there."""
    file, wanted = _bytes(old), _bytes(new)
    del file[len(wanted) :]
    file += bytes(len(wanted) - len(file))
    for offset, entry in changed(old, new):
        file[offset : offset + entry.length] = _bytes([entry])
    assert wanted == file


@given(_entries)
def test_nothing_changes_between_equal_lists(entries: list[Entry]) -> None:
    """And an unchanged file costs nothing."""
    assert [] == list(changed(entries, entries))


def test_only_the_chunk_that_differs_is_rewritten() -> None:
    """A change in the middle that keeps lengths touches one chunk."""
    a, b, c, x = (Entry(DATA, 10, bytes([n]) * 32) for n in range(4))
    assert [(10, x)] == list(changed([a, b, c], [a, x, c]))
    assert 10 == changed_bytes([a, b, c], [a, x, c], 30)
    assert 5 == changed_bytes([a, b, c], [a, b, x], 25)
