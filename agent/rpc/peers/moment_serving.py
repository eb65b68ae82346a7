"""What is answered to who reads a moment of this node's."""

from __future__ import annotations

from collections.abc import Iterator

from agent.core.errors import NotFound
from agent.generations.afar import OpenMoment
from agent.rpc.peers.moment_codec import (
    Opening,
    WantedChanges,
    WantedChunks,
    encode_chunk_part,
    encode_last,
    encode_rows,
)
from agent.stream.messages import bad


def answers_of(moment: OpenMoment, wanted: Opening | WantedChanges | WantedChunks) -> Iterator[bytes]:
    """The messages that answer one request. Raises what reading raises."""
    if isinstance(wanted, WantedChunks):
        yield from (encode_chunk_part(_chunk(moment, name)) for name in wanted.names)
    elif isinstance(wanted, WantedChanges):
        for changes in moment.rows(wanted.since):
            yield from encode_rows(changes)
    else:
        raise bad("a second opening")
    yield encode_last()


def _chunk(moment: OpenMoment, name: bytes) -> bytes:
    """Empty for one that is not there: the others go on."""
    try:
        return moment.chunk(name)
    except NotFound:
        return b""
