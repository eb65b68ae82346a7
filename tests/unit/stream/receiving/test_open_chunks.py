"""Chunks as they came: named by what they are, and copied only where somebody keeps them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.chunks import DATA, PIECE, name_of, name_of_list
from agent.core.errors import WireError
from agent.rpc.codec import decode_batch, encode_batch
from agent.store.vault.codec import RAW
from agent.store.vault.vault import PackEnd, Vault
from agent.stream.messages import Data
from agent.stream.receiving.open_chunks import open_chunks
from fakes.idle import goes_on, quick_load

NOISE, ZEROS, LIST = os.urandom(5000), bytes(5000), b"a list of chunks, or so they say"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """An empty one."""
    with Vault.open(str(tmp_path), PackEnd(0, 0)) as made:
        yield made


def came(content: int) -> Data:
    """Three chunks that went over a wire."""
    load = quick_load()
    for kind, raw in ((DATA, NOISE), (DATA, ZEROS), (PIECE, LIST)):
        load.chunk(kind, name_of(raw), raw, content=content)
    (data,) = decode_batch(encode_batch(load.take()))
    assert isinstance(data, Data)
    return data


@pytest.mark.parametrize("content", [0, 7], ids=["chunks", "content of a new file"])
def test_they_are_opened_named_and_stored(vault: Vault, content: int) -> None:
    """Packed ones too; whether they are views or not."""
    opened = open_chunks(came(content), vault, "a call", goes_on)
    assert [NOISE, ZEROS, LIST] == [bytes(raw) for raw in opened.raws]
    names = [name_of(NOISE), name_of(ZEROS), name_of_list(LIST)]
    assert names == [chunk.name for chunk in opened.stored]
    vault.add(opened.stored)
    assert [NOISE, ZEROS, LIST] == [vault.read(name) for name in names]


@pytest.mark.parametrize(("content", "kind"), [(0, bytes), (7, memoryview)])
def test_only_content_that_is_written_at_once_stays_a_view(vault: Vault, content: int, kind: type) -> None:
    """Whatever is kept would keep its whole batch in memory."""
    opened = open_chunks(came(content), vault, "a call", goes_on)
    assert kind is type(opened.raws[0])
    assert kind is type(opened.stored[0].stored)
    assert bytes is type(opened.raws[1])


@pytest.mark.parametrize("content", [0, 7])
def test_a_claimed_length_is_not_believed(vault: Vault, content: int) -> None:
    """Also of a view."""
    for wrong in (4999, 5001, 1 << 20):
        with pytest.raises(WireError):
            open_chunks(
                Data(bytes([DATA]), bytes([RAW]), [wrong], [5000], memoryview(NOISE), content), vault, "a call", goes_on
            )
