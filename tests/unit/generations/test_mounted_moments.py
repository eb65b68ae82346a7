"""Every moment that can be read is mounted as it was."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.ids import CommitNumber
from agent.generations.moments import Moment
from agent.generations.mounting.attributes import Shown
from agent.generations.mounting.content import FileContent
from agent.generations.mounting.filesystem import HistoryFilesystem
from agent.generations.mounting.nodes import OpenedFile
from agent.generations.mounting.shown_history import HistorySource, ShownHistory
from agent.store.catalog.catalog import Catalog
from fakes.kept_trees import KeptTrees


def walked(filesystem: HistoryFilesystem, path: str) -> Iterator[tuple[bytes, int, int, int]]:
    """``(path, mode, size, links)`` of all below a directory; a directory's links are not counted."""
    handle = filesystem.opendir(path or "/")
    for name, _, _ in list(filesystem.readdir_with_offset(path or "/", 2, handle)):
        found = filesystem.getattr(f"{path}/{name}")
        is_directory = stat.S_ISDIR(found["st_mode"])
        yield (
            os.fsencode(f"{path}/{name}"),
            found["st_mode"],
            found["st_size"],
            0 if is_directory else found["st_nlink"],
        )
        if is_directory:
            yield from walked(filesystem, f"{path}/{name}")
    filesystem.releasedir(path, handle)


@pytest.mark.parametrize("part", range(3))
def test_each_moment_is_the_tree_as_it_was(tmp_path: Path, seed: int, part: int) -> None:
    """Names, types, sizes and links, after moves, replacements and expiry."""
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog:
        history = KeptTrees(catalog, random.Random(seed * 100 + part))
        history.run(60)
        history.upkeep()
        with catalog.reader() as reader:
            source = HistorySource("web", reader, lambda name: name, "a test", lambda: 0, Shown(0, 0, 0))
            shown = ShownHistory(source)
            for moment in history.readable():
                top = shown.moment(Moment(moment, "", 0, ""))
                filesystem = HistoryFilesystem(top, _unread, lambda: (0, 0), lambda: None, lambda *_: None)
                assert expected(history, moment) == sorted(walked(filesystem, ""))
            shown.close()


def expected(history: KeptTrees, moment: CommitNumber) -> list[tuple[bytes, int, int, int]]:
    """The same of the model."""
    tree = history.tree(moment)
    links = [row.id for row in tree.values()]
    return sorted(
        (b"/" + path, row.mode, row.size, 0 if row.kind == stat.S_IFDIR else links.count(row.id))
        for path, row in tree.items()
    )


def _unread(_file: OpenedFile) -> FileContent:
    """Nothing is opened here."""
    raise NotImplementedError
