"""An image or block device that stood at the standby's path goes into the vault before the primary is asked, so that what is
equal is not sent.

The vault is to have every chunk of the newest commit anyway, so nothing is relied on where it stands; what no commit comes to
name goes with the next collection. Cut short, it is read anew, and what is in the vault is not copied twice.
"""

from __future__ import annotations

import os
import time

import structlog

from agent.core.chunks import DATA, DEVICE_CHUNK, name_of
from agent.core.errors import TryAgain
from agent.fs.block_device import device_length
from agent.fs.content import read_exact
from agent.store.vault.codec import pack_chunk
from agent.store.vault.vault import Vault

#: How long one step takes, seconds; chunks that are read at once.
STEP_SECONDS = 0.05
_RUN = 64
_ZEROS = bytes(DEVICE_CHUNK)
_log = structlog.get_logger("adopt")


class ImageReading:
    """``TakesOver`` of a device. ``expected``: something may stand at ``path`` that may be taken over, and no commit came yet."""

    seeds = False

    def __init__(self, path: str, vault: Vault, *, expected: bool) -> None:
        self._path = path
        self._vault = vault
        self._expected = expected
        self._fd = -1
        self._at = self._end = 0
        self._copied = 0
        self._read = (0, 0)

    @property
    def ready(self) -> bool:
        """See ``TakesOver``, as all below."""
        return not self._expected

    @property
    def at_work(self) -> bool:
        return self._expected

    @property
    def found(self) -> bool:
        return self._read[0] > 0

    @property
    def read(self) -> tuple[int, int]:
        return self._read

    @property
    def left(self) -> tuple[int, int]:
        left = self._end - self._at
        return -(-left // DEVICE_CHUNK), left

    @property
    def progress(self) -> tuple[int, int]:
        return self._copied, self._copied + self.left[1]

    def step(self, adopting: bool | None) -> bool:
        if not self._expected or adopting is None:
            return False
        if not adopting:
            self._expected = False
            return False
        try:
            return self._some()
        except OSError as error:
            self.close()
            reason = error.strerror or str(error)
            raise TryAgain("read what stands there", self._path, reason, "it is tried again by itself") from error

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._at = self._end = 0

    def _some(self) -> bool:
        """Whether there is more to read. OSError, and what the vault raises."""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            self._end = device_length(self._fd)
            _log.info("reading what stands there", path=self._path, bytes=self._end)
        until = time.monotonic() + STEP_SECONDS
        while self._at < self._end and time.monotonic() < until:
            self._take(read_exact(self._fd, self._at, _RUN * DEVICE_CHUNK))
        if self._at < self._end:
            return True
        # No commit says that the packs have it.
        self._vault.note_end()
        self._expected = False
        self.close()
        _log.info("what stands there is in the vault", chunks=self._read[0], bytes=self._read[1])
        return False

    def _take(self, data: bytes) -> None:
        """On exit the vault has these chunks, durable with its next sync."""
        if not data:
            self._at = self._end  # It became shorter.
            return
        chunks = (data[at : at + DEVICE_CHUNK] for at in range(0, len(data), DEVICE_CHUNK))
        named = {name_of(chunk): chunk for chunk in chunks if chunk != _ZEROS[: len(chunk)]}
        missing = self._vault.missing_in_packs(list(named))
        raws = [named[name] for name in missing]
        self._vault.add([pack_chunk(name, DATA, raw) for name, raw in zip(missing, raws, strict=True)], raws)
        self._copied += sum(map(len, raws))
        self._read = self._read[0] + len(named), self._read[1] + sum(map(len, named.values()))
        self._at += len(data)
