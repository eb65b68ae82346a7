"""An image that stood at the standby's path goes into the vault before anything is asked for."""

from __future__ import annotations

import random
from pathlib import Path

from agent.adopt.image_reading import ImageReading
from agent.core.chunks import DEVICE_CHUNK, name_of
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault


def test_every_chunk_of_an_image_comes_into_the_vault(tmp_path: Path) -> None:
    """Zeros do not, what is there already is not copied again, and it is not ready before."""
    image = random.Random(1).randbytes(5 * DEVICE_CHUNK) + bytes(200 * DEVICE_CHUNK) + b"end"
    (tmp_path / "image").write_bytes(image)
    vault = Vault.open(str(tmp_path / "vault"), PackEnd(0, 0))
    names = [
        name_of(image[at : at + DEVICE_CHUNK]) for at in (*range(0, 5 * DEVICE_CHUNK, DEVICE_CHUNK), len(image) - 3)
    ]
    for copied in (5 * DEVICE_CHUNK + 3, 0):
        reading = ImageReading(str(tmp_path / "image"), vault, expected=True)
        assert (reading.ready, reading.step(None)) == (False, False)
        while reading.step(True):
            pass
        assert (reading.ready, reading.read[0], reading.progress[0]) == (True, 206 - 200, copied)
    assert list(vault.missing_in_packs(names[:5])) == []
    vault.close()


def test_what_is_not_to_be_taken_over_is_not_read(tmp_path: Path) -> None:
    """An image that is new, or ours, is nothing to read."""
    vault = Vault.open(str(tmp_path / "vault"), PackEnd(0, 0))
    reading = ImageReading(str(tmp_path / "none"), vault, expected=True)
    assert (reading.step(False), reading.ready, reading.found) == (False, True, False)
    vault.close()
