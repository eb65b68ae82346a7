"""Before a vault is used: packs are cut to what is known to be durable, and the index is brought up to what they hold."""

from __future__ import annotations

import os

from agent.core.errors import Damaged, WireError
from agent.store.vault import index as index_file
from agent.store.vault.codec import is_patch
from agent.store.vault.index import Index
from agent.store.vault.open_packs import OpenPack
from agent.store.vault.pack import TOMBSTONE, PackEnd, Place, path_of, records


def open_index(path: str, packs: str, numbers: list[int]) -> Index:
    """The index, made anew when it is damaged or knows more than the packs hold."""
    try:
        index = Index.open(path)
    except Damaged:
        index_file.remove_index(path)
        return Index.open(path)
    end = index.durable
    size = os.stat(path_of(packs, end.pack)).st_size if end.pack in numbers else 0
    if size >= end.offset:
        return index
    index.close()
    index_file.remove_index(path)
    return Index.open(path)


def cut(packs: str, numbers: list[int], end: PackEnd) -> int:
    """Remove what lies behind ``end``, later packs also from ``numbers``; how long the last pack was before, -1 if it is gone."""
    for number in [number for number in numbers if number > end.pack]:
        os.unlink(path_of(packs, number))
        numbers.remove(number)
    last = path_of(packs, end.pack)
    size = os.stat(last).st_size if end.pack in numbers else -1
    if size > end.offset:
        os.truncate(last, end.offset)
    return size


def catch_up(index: Index, packs: str, numbers: list[int], damage: list[str], most: int) -> None:
    """Put into the index what the packs hold behind its end, writing it down every ``most`` entries. What is no record is
    added to ``damage``, in words."""
    known, gone = index.durable, set[bytes]()
    for number in numbers:
        if number < known.pack:
            continue
        pack = OpenPack(path_of(packs, number))
        start = known.offset if number == known.pack else 0
        for name, place in records(pack.fd, number, start, os.fstat(pack.fd).st_size, damage):
            if place.kind == TOMBSTONE:
                gone.add(name)
                index.retire(name)
            else:
                gone.discard(name)
                index.put_again(name, place, _bases(pack, place, damage))
            if index.waiting() + len(gone) >= most:
                _write(index, gone, PackEnd(number, place.end))
    index.forget(gone, list(gone))


def _write(index: Index, gone: set[bytes], end: PackEnd) -> None:
    """What was forgotten first: behind ``end`` nobody looks for it again."""
    index.forget(gone, list(gone))
    gone.clear()
    index.flush(end)


def drop_baseless(index: Index, packs: str, damage: list[str]) -> None:
    """A patch whose bases are gone is not present: it goes, and so does what is made of it."""
    count = 0
    while lost := [name for name in index.perhaps_baseless() if _lacks_a_base(index, packs, name)]:
        index.forget(lost, lost)
        count += len(lost)
    if count:
        damage.append(f"{count:,} chunks are patches of chunks that are gone")


def _lacks_a_base(index: Index, packs: str, name: bytes) -> bool:
    place = index.place(name)
    if place is None or not is_patch(place.codec):
        return False
    try:
        bases = OpenPack(path_of(packs, place.pack)).bases(place)
    except (Damaged, WireError):
        return True
    return any(index.place(base) is None for base in bases)


def _bases(pack: OpenPack, place: Place, damage: list[str]) -> tuple[bytes, ...]:
    try:
        return pack.bases(place) if is_patch(place.codec) else ()
    except WireError:
        damage.append(f"pack {place.pack}: the patch at {place.offset} is damaged")
        return ()
