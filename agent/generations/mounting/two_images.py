"""Two moments of a device as two files that take writes, ``old`` and ``new``, for as long as this process runs."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import ExitStack, closing

from agent.core.errors import HikaeError
from agent.core.ids import CommitNumber
from agent.generations.devices.image import DeviceImage
from agent.generations.mounting.attributes import Shown
from agent.generations.mounting.chunk_cache import ChunkCache
from agent.generations.mounting.content import FileContent
from agent.generations.mounting.filesystem import HistoryFilesystem
from agent.generations.mounting.fuse import MountOptions, serve_mount
from agent.generations.mounting.images import ImageNode
from agent.generations.mounting.nodes import OpenedFile, VirtualNode, virtual_inode
from agent.generations.mounting.written_over import WrittenOver
from agent.store.catalog.reader import CatalogReader
from agent.store.vault.beside import VaultBeside

OLD, NEW = b"old", b"new"
_PR_SET_PDEATHSIG = 1


def show_two(words: list[str]) -> int:
    """``CATALOG VAULT OLD NEW DIRECTORY``: serve until the end of who began it; 1 with a sentence on stderr where that cannot
    be."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    catalog, vault, old, new, directory = words
    shown = Shown(os.geteuid(), os.getegid(), time.time_ns())
    try:
        with ExitStack() as stack:
            reader = stack.enter_context(CatalogReader.open(catalog))
            chunks = stack.enter_context(VaultBeside.open_beside(vault))
            cache = stack.enter_context(closing(ChunkCache(chunks.read)))
            nodes = {}
            for name, number in ((OLD, old), (NEW, new)):
                image = DeviceImage(reader, cache.get, CommitNumber(int(number)))
                over = stack.enter_context(closing(WrittenOver.open(os.path.dirname(directory), image.size)))
                nodes[name] = ImageNode(shown, image, over, image.size, shown.time)

            def content(file: OpenedFile) -> FileContent:
                cache.begin()
                return FileContent(file.content, cache, over=file.over)

            top = VirtualNode(shown, virtual_inode(b"two"), nodes.get, lambda: iter(()))
            filesystem = HistoryFilesystem(top, content, lambda: (0, 0), lambda: None, _told)
            serve_mount(filesystem, directory, MountOptions("hikae:diff", writable=True))
    except (OSError, HikaeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _told(path: str, error: HikaeError) -> None:
    print(f"{path}: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(show_two(sys.argv[1:]))
