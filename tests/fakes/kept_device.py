"""The stores of a node that keeps a device: a catalog of chunk rows, and a vault beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from agent.core import chunks
from agent.core.chunks import DATA, DEVICE_CHUNK
from agent.core.commit import Changes
from agent.core.ids import ChunkNumber, CommitNumber
from agent.core.rows import chunk_key, encode_chunk
from agent.generations.devices.image import DeviceImage
from agent.generations.naming import generation_name
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Cause, Generation
from agent.store.vault.beside import VaultBeside
from agent.store.vault.codec import pack_chunk
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.store_fakes import EPOCH, header, number


@dataclass
class KeptDevice:
    """``images``: what the device held at each commit."""

    directory: Path
    catalog: Catalog
    vault: Vault
    images: dict[CommitNumber, bytes] = field(default_factory=dict)

    @classmethod
    def make(cls, directory: Path) -> Self:
        """Empty stores."""
        directory.mkdir(parents=True, exist_ok=True)
        catalog = Catalog.open(str(directory / "catalog.db"))
        catalog.begin_epoch(EPOCH)
        return cls(directory, catalog, Vault.open(str(directory / "vault"), PackEnd(0, 0)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.vault.close()
        self.catalog.close()

    def put(self, image: bytes) -> CommitNumber:
        """The device holds this from the next commit on."""
        seq = len(self.images) + 1
        puts: list[bytes] = []
        drops: list[bytes] = []
        count = -(-len(image) // DEVICE_CHUNK)
        for at in range(1, max(count, self._count()) + 1):
            data = image[(at - 1) * DEVICE_CHUNK : at * DEVICE_CHUNK]
            old = self.catalog.chunk(ChunkNumber(at)) if self.images else None
            if data and (data.strip(b"\0") or at == count):
                row = encode_chunk(at, len(data), chunks.name_of(data))
                if row != old:
                    self.vault.add([pack_chunk(chunks.name_of(data), DATA, data)], [data])
                    puts.append(row)
            elif old is not None:
                drops.append(chunk_key(at))
        self.vault.sync()
        self.catalog.write(Changes(puts, drops), header(seq))
        self.images[number(seq)] = image
        return number(seq)

    @contextmanager
    def image(self, at: CommitNumber) -> Iterator[DeviceImage]:
        """What a reader in another process finds."""
        with self.catalog.reader() as reader, VaultBeside.open_beside(str(self.directory / "vault")) as vault:
            yield DeviceImage(reader, vault.read, at)

    def _count(self) -> int:
        longest = max(map(len, self.images.values()), default=0)
        return -(-longest // DEVICE_CHUNK)


def some_image(chance_bytes: bytes, *places: int, size: int) -> bytes:
    """A device of ``size`` bytes with these bytes at each place, zeros elsewhere."""
    image = bytearray(size)
    for at in places:
        image[at : at + len(chance_bytes)] = chance_bytes[: max(0, size - at)]
    return bytes(image[:size])


_CONFIGURATION = """
[node]
name = "beta"
state_dir = "{state}"
listen = "127.0.0.1:7440"
admin_socket = "{state}/admin.sock"
[tls]
ca = "{state}/ca.crt"
cert = "{state}/beta.crt"
key = "{state}/beta.key"
[[peer]]
name = "alpha"
address = "127.0.0.1:7450"
[[dataset]]
name = "vm"
kind = "device"
path = {{ alpha = "/dev/vm", beta = "{place}/standby.img" }}
primary = "alpha"
standby = ["beta"]
"""


@dataclass
class KeptDeviceNode:
    """A node whose agent does not run, with the history of the device ``vm``, and its configuration."""

    config: Path
    kept: KeptDevice

    @classmethod
    def make(cls, directory: Path) -> Self:
        """Nothing is kept yet."""
        state = directory / "state"
        kept = KeptDevice.make(state / "datasets" / "vm")
        config = directory / "agent.toml"
        config.write_text(_CONFIGURATION.format(state=state, place=directory))
        return cls(config, kept)

    def generation(self, label: str, image: bytes) -> CommitNumber:
        """The device holds this, and a generation of it is kept."""
        at = self.kept.put(image)
        taken = (1_700_000_000 + len(self.kept.images)) * 10**9
        self.kept.catalog.keep_generations(
            [Generation(generation_name(taken, ()), at, taken, taken, Cause.DEMAND, label)]
        )
        return at
