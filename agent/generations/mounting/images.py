"""A moment of a device in a mount: a directory that holds one raw image file, read as it was, written over if that is wanted."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from agent.core.ids import CommitNumber
from agent.generations.devices.image import DeviceImage
from agent.generations.mounting.attributes import Attributes, Shown, virtual_file
from agent.generations.mounting.nodes import DirectoryEntry, OpenedFile, ShownNode, VirtualNode, virtual_inode
from agent.generations.mounting.written_over import WrittenOver
from agent.generations.reading import MomentReader

_READ_ONLY, _WRITABLE = 0o400, 0o600


def _held() -> Callable[[], None]:
    """Its lease stands until the mount ends."""
    return lambda: None


@dataclass(frozen=True, slots=True)
class ImageNode:
    """``over``: what is written over it, None for an image that is only read; ``room``: bytes of its data; ``time``: when the
    device was so (UTC ns)."""

    shown: Shown
    image: DeviceImage
    over: WrittenOver | None
    room: int
    time: int

    def attributes(self) -> Attributes:
        """See ``ShownNode``."""
        mode = stat.S_IFREG | (_READ_ONLY if self.over is None else _WRITABLE)
        number = virtual_inode(b"image/%d" % self.image.number)
        return virtual_file(self.shown, number, mode, self.image.size, self.room, self.time)

    def child(self, name: bytes) -> None:
        """See ``ShownNode``."""
        return

    def entries(self, after: bytes) -> list[DirectoryEntry]:
        """See ``ShownNode``."""
        return []

    def lasts(self) -> bool:
        """See ``ShownNode``."""
        return True

    def opened(self) -> OpenedFile:
        """See ``ShownNode``."""
        return OpenedFile(self.image, _held, self.over)


@dataclass(slots=True)
class ShownImages:
    """The images of one dataset, each as ``NAME.img`` in the directory of its moment. For one thread. ``writes``: the directory
    that has room for what is written over them, "" where they are only read. ``close`` throws all of that away."""

    dataset: str
    writes: str = ""
    _over: dict[CommitNumber, WrittenOver] = field(default_factory=dict)

    def close(self) -> None:
        """What was written is gone; safe to call twice."""
        while self._over:
            self._over.popitem()[1].close()

    def directory_of(self, moment: MomentReader, shown: Shown) -> ShownNode | None:
        """The directory of a moment; None where the device was not there yet."""
        image = DeviceImage(moment.catalog, moment.chunk, moment.number)
        commit = moment.catalog.commit_at(moment.number)
        if not image.size or commit is None:
            return None
        name = self.dataset.encode() + b".img"

        def found(wanted: bytes) -> ShownNode | None:
            if wanted != name:
                return None
            return ImageNode(shown, image, self._written_over(image), commit.bytes, commit.time)

        def names() -> Iterator[tuple[bytes, int]]:
            yield name, stat.S_IFREG | _READ_ONLY

        return VirtualNode(shown, virtual_inode(b"moment/%d" % moment.number), found, names)

    def _written_over(self, image: DeviceImage) -> WrittenOver | None:
        if not self.writes:
            return None
        over = self._over.get(image.number)
        if over is None:
            over = self._over[image.number] = WrittenOver.open(self.writes, image.size)
        return over
