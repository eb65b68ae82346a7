"""Bytes of a real directory, read again for a peer."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from agent.capture.files.read_back import TreeSource
from agent.capture.outlet import Lack
from agent.core import chunks
from agent.core.chunks import ChunkRef
from agent.fs.content import read_exact
from fakes.capture_fakes import Station


class TestSource:
    """Bytes read again for a peer."""

    def test_only_what_still_is_its_name(self, made: Station, root: Path) -> None:
        """Unchanged bytes come back, changed ones do not; a moved file is found; pieces come from the catalog."""
        first, second = os.urandom(1000), os.urandom(1000)
        (root / "d").mkdir()
        (root / "d" / "a").write_bytes(first)
        (root / "d" / "b").write_bytes(second)
        made.synced()
        a, b = made.id_of(b"d/a"), made.id_of(b"d/b")
        assert a is not None
        assert b is not None
        (root / "d" / "b").write_bytes(os.urandom(1000))
        refs = [
            ChunkRef(chunks.name_of(first), chunks.DATA, a, 0, 1000),
            ChunkRef(chunks.name_of(second), chunks.DATA, b, 0, 1000),
            ChunkRef(bytes(32), chunks.PIECE, a, 0, 0),
        ]
        source = TreeSource(str(root), made.catalog.reader())
        assert [first, Lack.CHANGED, Lack.CHANGED] == source.read(refs)
        os.rename(root / "d", root / "e")
        made.hint(b"d", b"e")
        assert [first, Lack.CHANGED, Lack.CHANGED] == source.read(refs)
        source.close()

    def test_a_further_name_leads_to_the_file_as_well(self, made: Station, root: Path) -> None:
        """The directory of the first name is gone, and nothing has said so yet; as well it may be closed to us."""
        data = os.urandom(1000)
        for directory in ("a", "b"):
            (root / directory).mkdir()
        (root / "a" / "f").write_bytes(data)
        os.link(root / "a" / "f", root / "b" / "f")
        made.synced()
        id = made.id_of(b"a/f")
        assert id is not None
        shutil.rmtree(root / "a")
        source = TreeSource(str(root), made.catalog.reader())
        assert [data] == source.read([ChunkRef(chunks.name_of(data), chunks.DATA, id, 0, 1000)])
        source.close()

    def test_what_cannot_be_read_is_told_apart_from_what_changed(self, made: Station, root: Path) -> None:
        """One bad sector takes no other chunk of its file along; somebody's lease says nothing."""
        data = os.urandom(3000)
        (root / "f").write_bytes(data)
        made.synced()
        id = made.id_of(b"f")
        assert id is not None
        parts = [data[at : at + 1000] for at in range(0, 3000, 1000)]
        refs = [ChunkRef(chunks.name_of(part), chunks.DATA, id, at * 1000, 1000) for at, part in enumerate(parts)]

        def read_at(fd: int, offset: int, length: int) -> bytes:
            if offset:
                raise OSError(errno.EIO if offset == 1000 else errno.EAGAIN, "no")
            return read_exact(fd, offset, length)

        source = TreeSource(str(root), made.catalog.reader(), read_at=read_at)
        assert [parts[0], Lack.UNREADABLE, Lack.CHANGED] == source.read(refs)
        source.close()
