"""What a mount shows, asked for as FUSE does."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.commit import Changes
from agent.core.errors import HikaeError, NotFound, Refused, TryAgain
from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.core.rows import ObjectRow, encode_object, name_key
from agent.generations.mounting.attributes import Shown
from agent.generations.mounting.chunk_cache import ChunkCache
from agent.generations.mounting.content import FileContent
from agent.generations.mounting.filesystem import HistoryFilesystem
from agent.generations.mounting.mount_point import require_mount_point
from agent.generations.mounting.nodes import OpenedFile
from agent.generations.mounting.shown_history import HistorySource, ShownHistory
from agent.store.catalog import leases
from agent.store.catalog.catalog import Catalog, Header
from agent.store.catalog.generation import Cause, Generation
from fakes.store_fakes import begun, dir_row, name_row, number

SECOND = 10**9
START = 1_795_320_900 * SECOND
CONTENT = {chunks.name_of(text): text for text in (b"one", b"other", b"third")}


def a_file(id: int, text: bytes, **more: int) -> bytes:
    """A row of a file with this content."""
    xattrs = ((b"user.k", b"v\0x"),)
    content = chunks.encode_one(len(text), chunks.name_of(text))
    return encode_object(
        ObjectRow(ObjectId(id), stat.S_IFREG | 0o4751, 5, 6, 7_000_000_001, 0, len(text), 0, xattrs, content)
    )


def held(name: bytes) -> bytes:
    """A chunk, as a vault gives it."""
    if name not in CONTENT:
        raise NotFound("read a chunk", name.hex(), "it is lost")
    return CONTENT[name]


@dataclass
class Shows:
    """A filesystem over a catalog, and what was told of trouble."""

    catalog: Catalog
    filesystem: HistoryFilesystem
    trouble: list[tuple[str, HikaeError]]

    def names(self, path: str) -> list[str]:
        """What a directory lists, each name once, page by page from wherever one stopped."""
        handle, found, offset = self.filesystem.opendir(path), list[str](), 0
        while page := list(self._some(path, offset, handle)):
            found += [name for name, _, _ in page]
            offset = page[-1][2]
        self.filesystem.releasedir(path, handle)
        return found[2:]

    def _some(self, path: str, offset: int, handle: int) -> Iterator[tuple[str, dict[str, int], int]]:
        for count, entry in enumerate(self.filesystem.readdir_with_offset(path, offset, handle)):
            if count == 7:
                return
            yield entry

    def read(self, path: str) -> bytes:
        """A whole file."""
        handle = self.filesystem.open(path, os.O_RDONLY)
        data = self.filesystem.read(path, 1 << 20, 0, handle)
        self.filesystem.release(path, handle)
        return data

    def leased(self) -> list[CommitNumber]:
        """What is held."""
        return sorted({one.number for one in leases.readings(self.catalog.path)})


def write(catalog: Catalog, seq: int, puts: list[bytes], drops: tuple[bytes, ...] = (), generation: str = "") -> None:
    """A commit a minute, and a generation of it if it is to be one."""
    time = START + seq * 60 * SECOND
    catalog.write(Changes(tuple(puts), drops), Header(number(seq), number(seq - 1), time, time, True))
    if generation:
        catalog.keep_generations([Generation(generation, number(seq), time, time, Cause.DEMAND, label=f"label-{seq}")])


@pytest.fixture
def shows(tmp_path: Path) -> Iterator[Shows]:
    """Two generations of a file with two names, and a commit after them."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        many = [row for at in range(2500) for row in (a_file(1000 + at, b"one"), name_row(4, b"f%04d" % at, 1000 + at))]
        names = [name_row(ROOT, b"etc", 2), name_row(2, b"a", 3), name_row(2, b"b", 3), name_row(ROOT, b"many", 4)]
        write(catalog, 2, [dir_row(2), dir_row(4), a_file(3, b"one"), *names, *many], generation="20261122T031500Z")
        write(catalog, 3, [a_file(3, b"other")], generation="20261123T031500Z")
        link = encode_object(ObjectRow(ObjectId(5), stat.S_IFLNK | 0o777, 0, 0, 7, content=b"etc/a"))
        write(catalog, 4, [a_file(3, b"third"), link, name_row(ROOT, b"l", 5)], (name_key(ObjectId(2), b"b"),))
        cache = ChunkCache(held)
        reader = catalog.reader()
        trouble: list[tuple[str, HikaeError]] = []
        source = HistorySource("web", reader, cache.get, "a test", lambda: START + 3600 * SECOND, Shown(0, 0, 9))
        history = ShownHistory(source)

        def content(file: OpenedFile) -> FileContent:
            return FileContent(file.content, cache)

        try:
            yield Shows(
                catalog,
                HistoryFilesystem(
                    history.top(),
                    content,
                    lambda: (1, 1),
                    lambda: None,
                    lambda path, error: trouble.append((path, error)),
                ),
                trouble,
            )
            assert [] == trouble
        finally:
            history.close()
            cache.close()
            reader.close()
        assert [] == leases.readings(catalog.path)


def test_a_directory_a_generation_and_the_newest_one(shows: Shows) -> None:
    """By name, by label, by as much of the name as only one has, and by the link."""
    assert ["20261122T031500Z", "20261123T031500Z", "at", "by-path", "latest"] == shows.names("/")
    assert "20261123T031500Z" == shows.filesystem.readlink("/latest")
    paths = ["/20261122T031500Z/etc/a", "/label-2/etc/a", "/20261123/etc/b", "/label-3/etc/a"]
    assert [b"one", b"one", b"other", b"other"] == [shows.read(path) for path in paths]
    for path in ("/2026", "/nothing", "/20261122T031500Z/nothing", "/20261122T031500Z/etc/a/b"):
        with pytest.raises(OSError, match="nothing stands there"):
            shows.filesystem.getattr(path)


def test_a_new_generation_is_shown_and_is_the_latest(shows: Shows) -> None:
    """Nothing of the top is remembered."""
    shows.names("/")
    write(shows.catalog, 5, [], generation="20261124T031500Z")
    assert "20261124T031500Z" == shows.filesystem.readlink("/latest")
    assert "20261124T031500Z" in shows.names("/")


def test_metadata_is_what_was_captured(shows: Shows) -> None:
    """Mode with its setuid bit, owners, whole ns, links, attributes; names of one object have one inode, moments others."""
    one, other, later = (
        shows.filesystem.getattr(path) for path in ("/label-2/etc/a", "/label-2/etc/b", "/label-3/etc/a")
    )
    told = [one[f"st_{key}"] for key in ("mode", "uid", "gid", "mtime", "nlink", "size")]
    assert [stat.S_IFREG | 0o4751, 5, 6, 7_000_000_001, 2, 3] == told
    assert (True, False) == (one["st_ino"] == other["st_ino"], one["st_ino"] == later["st_ino"])
    assert (["user.k"], b"v\0x") == (
        shows.filesystem.listxattr("/label-2/etc/a"),
        shows.filesystem.getxattr("/label-2/etc/a", "user.k"),
    )
    with pytest.raises(OSError, match="no such attribute") as caught:
        shows.filesystem.getxattr("/label-2/etc/a", "user.other")
    assert errno.ENODATA == caught.value.errno


def test_any_moment_by_time(shows: Shows) -> None:
    """The tree as it was then, with its links; a time that is none, or out of reach, is nothing."""
    at = datetime.fromtimestamp((START + 250 * SECOND) // SECOND, UTC).isoformat()
    assert (["etc", "l", "many"], b"third") == (shows.names(f"/at/{at}"), shows.read(f"/at/{at}/etc/a"))
    assert "etc/a" == shows.filesystem.readlink(f"/at/{at}/l")
    assert [at] == shows.names("/at")
    for path in ("/at/1969-01-01", "/at/2099-01-01", "/at/no-mark"):
        with pytest.raises(OSError, match="nothing stands there"):
            shows.filesystem.getattr(path)


def test_every_version_of_a_file_by_its_path(shows: Shows) -> None:
    """Each under the time at which it was first seen; a directory shows all that ever stood there."""
    assert ["etc", "l", "many"] == shows.names("/by-path")
    assert ["a", "b"] == shows.names("/by-path/etc")
    versions = shows.names("/by-path/etc/a")
    assert [b"one", b"other", b"third"] == [shows.read(f"/by-path/etc/a/{name}") for name in versions]
    assert [b"one", b"other"] == [shows.read(f"/by-path/etc/b/{name}") for name in shows.names("/by-path/etc/b")]


def test_versions_by_path_are_for_who_mounts(shows: Shows) -> None:
    """The directories that a version stood in do not keep others from it there; by a moment they do."""
    modes = [shows.filesystem.getattr(path)["st_mode"] & 0o777 for path in ("/by-path", "/by-path/etc", "/at", "/")]
    assert [0o500, 0o500, 0o555, 0o555] == modes


def test_a_large_directory_is_listed_page_by_page(shows: Shows) -> None:
    """Each name once, from wherever one stopped; and back to the beginning."""
    names = shows.names("/label-2/many")
    assert [f"f{at:04d}" for at in range(2500)] == names
    handle = shows.filesystem.opendir("/label-2/many")
    for offset in (2400, 5, 0):
        name, _, following = next(iter(shows.filesystem.readdir_with_offset("/label-2/many", offset, handle)))
        assert ([".", "..", *names][offset], offset + 1) == (name, following)


def test_what_was_looked_into_stays_whole(shows: Shows) -> None:
    """A generation that is to expire is kept while it is mounted; versions are held while they are open."""
    shows.names("/label-2/etc")
    assert [number(2)] == shows.leased()
    version = f"/by-path/etc/a/{shows.names('/by-path/etc/a')[1]}"
    handle = shows.filesystem.open(version, os.O_RDONLY)
    assert [number(2), number(3)] == shows.leased()
    shows.filesystem.release(version, handle)
    assert [number(2)] == shows.leased()


def test_what_cannot_be_read_is_told_with_its_path(shows: Shows) -> None:
    """A program gets a number, whoever runs the mount the path and the reason; all else is read."""
    lost = CONTENT.pop(chunks.name_of(b"other"))
    try:
        with pytest.raises(OSError, match="a chunk of it is lost") as caught:
            shows.read("/label-3/etc/a")
        assert (errno.EIO, "/label-3/etc/a") == (caught.value.errno, shows.trouble[0][0])
        assert b"one" == shows.read("/label-3/many/f0000")
    finally:
        CONTENT[chunks.name_of(b"other")] = lost
        shows.trouble.clear()


def test_a_mount_has_so_many_moments_at_most(shows: Shows) -> None:
    """Beyond, a program is told to try again, and the operator why."""
    reader = shows.catalog.reader()
    source = HistorySource("web", reader, CONTENT.__getitem__, "a test", lambda: START + 3600 * SECOND, Shown(0, 0, 9))
    few = ShownHistory(source, most=1)
    try:
        assert few.top().child(b"label-2") is not None
        with pytest.raises(TryAgain, match="1 moments are open"):
            few.top().child(b"label-3")
    finally:
        few.close()
        reader.close()


def test_nothing_is_written(shows: Shows) -> None:
    """Nor is a directory, a link or a device opened."""
    for path, flags, expected in [
        ("/label-2/etc/a", os.O_RDWR, errno.EROFS),
        ("/label-2/etc", os.O_RDONLY, errno.EOPNOTSUPP),
        ("/by-path", os.O_RDONLY, errno.EOPNOTSUPP),
    ]:
        with pytest.raises(OSError, match=r"read-only|no regular") as caught:
            shows.filesystem.open(path, flags)
        assert (path, expected) == (path, caught.value.errno)
    with pytest.raises(OSError, match="no directory"):
        shows.filesystem.opendir("/label-2/etc/a")


def test_where_nothing_may_be_mounted(tmp_path: Path) -> None:
    """Each reason has its sentence and its way out."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    (tmp_path / "state" / "in").mkdir(parents=True)
    (tmp_path / "good").mkdir()
    kept = {str(tmp_path / "state"): "the agent's state"}
    require_mount_point(str(tmp_path / "good"), kept)
    for name, kind, words in [
        ("nothing", NotFound, "mkdir"),
        ("full", Refused, "not empty: file would be hidden"),
        ("full/file", Refused, "it is no directory"),
        ("state/in", Refused, "it lies in the agent's state"),
    ]:
        with pytest.raises(kind, match=words):
            require_mount_point(str(tmp_path / name), kept)
