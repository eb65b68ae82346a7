"""Messages by which a moment is read on another node, and their bytes. All raise ``WireError`` for what is not as agreed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from agent.core.chunks import MAX_CHUNK, NAME_SIZE
from agent.core.commit import Changes, Quiesced
from agent.core.errors import HikaeError
from agent.core.ids import may_be_sealed
from agent.generations.afar import FoundMoment, NamedMoment
from agent.generations.moments import Moment
from agent.rpc.limits import counted, number, sentence, short
from agent.rpc.peers.peer_codec import error_bytes, read_error
from agent.rpc.peers.peer_limits import CERTIFICATE_MAX, CHUNKS_ASKED, NAME_MAX
from agent.rpc.wire import peer_pb2 as pb
from agent.stream.footing import TOKEN_SIZE
from agent.stream.locator import CommitMark
from agent.stream.messages import ROWS_MAX, Offer, bad
from agent.stream.packing import open_rows, pack_rows
from agent.stream.rows_blob import blobs_of, changes_in

_NO_ROWS = Changes()


@dataclass(frozen=True, slots=True)
class Opening:
    """The first request of a call."""

    nonce: bytes
    named: NamedMoment


@dataclass(frozen=True, slots=True)
class WantedChanges:
    """A request for rows."""

    since: CommitMark | None


@dataclass(frozen=True, slots=True)
class WantedChunks:
    """A request for chunks."""

    names: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class MomentPart:
    """One message of an answer: what was opened and by whom it is proven, a part of rows, the next chunk (``came``; empty where
    it is not there), whether that was the ``last``, or why there is no more."""

    certificate: bytes = b""
    proof: bytes = b""
    found: FoundMoment | None = None
    changes: Changes = _NO_ROWS
    chunk: bytes = b""
    came: bool = False
    last: bool = False
    error: HikaeError | None = None


def encode_opening(opening: Opening) -> bytes:
    """The first request."""
    one = opening.named
    open_ = pb.ReadMoment(
        nonce=opening.nonce, dataset=one.dataset, generation=one.generation, at=one.at, reader=one.reader[:NAME_MAX]
    )
    return pb.ReadRequest(open=open_).SerializeToString()


def encode_wanted(wanted: WantedChanges | WantedChunks) -> bytes:
    """A further request."""
    if isinstance(wanted, WantedChunks):
        return pb.ReadRequest(chunks=pb.ReadChunks(names=b"".join(wanted.names))).SerializeToString()
    rows = pb.ReadRows()
    if wanted.since is not None:
        _fill_mark(rows.since, wanted.since)
    return pb.ReadRequest(rows=rows).SerializeToString()


def decode_request(data: bytes) -> Opening | WantedChanges | WantedChunks:
    """One request: exactly one of its fields."""
    found = pb.ReadRequest()
    _parse(found, data)
    if [found.HasField("open"), found.HasField("rows"), found.HasField("chunks")].count(True) != 1:
        raise bad("a request for nothing, or for several things")
    if found.HasField("open"):
        one = found.open
        if max(map(len, (one.dataset, one.generation, one.at, one.reader))) > NAME_MAX or not one.nonce:
            raise bad("a name that is too long, or no nonce")
        return Opening(short(one.nonce), NamedMoment(one.dataset, one.generation, one.at, one.reader))
    if found.HasField("rows"):
        return WantedChanges(_read_mark(found.rows.since) if found.rows.HasField("since") else None)
    names = found.chunks.names
    if not names or len(names) % NAME_SIZE or len(names) > CHUNKS_ASKED * NAME_SIZE:
        raise bad("an impossible number of chunks")
    return WantedChunks([names[at : at + NAME_SIZE] for at in range(0, len(names), NAME_SIZE)])


def encode_found(certificate: bytes, proof: bytes, found: FoundMoment) -> bytes:
    """The answer to the first request."""
    moment = found.moment
    said = pb.FoundMoment(
        name=moment.name,
        label=moment.label,
        time=moment.time,
        consistent=moment.consistent,
        entries=found.entries,
        bytes=found.bytes,
        reached=int(found.reached),
        owed=found.owed,
    )
    _fill_mark(said.mark, found.mark)
    return pb.ReadResponse(certificate=certificate, proof=proof, moment=said, last=True).SerializeToString()


def encode_rows(changes: Changes) -> Iterable[bytes]:
    """Parts of rows."""
    for _, blob in blobs_of(changes):
        codec, packed = pack_rows(blob)
        yield pb.ReadResponse(rows=packed, rows_codec=codec, rows_length=len(blob)).SerializeToString()


def encode_chunk_part(data: bytes) -> bytes:
    """The next chunk; empty where it is not there."""
    return pb.ReadResponse(chunk=data, chunk_came=True).SerializeToString()


def encode_last() -> bytes:
    """The answer is whole."""
    return pb.ReadResponse(last=True).SerializeToString()


def encode_moment_failure(error: HikaeError) -> bytes:
    """Why there is no more."""
    return pb.ReadResponse(error=error_bytes(error)).SerializeToString()


def decode_part(data: bytes) -> MomentPart:
    """One message of an answer."""
    found = pb.ReadResponse()
    _parse(found, data)
    if len(found.certificate) > CERTIFICATE_MAX or len(found.proof) > CERTIFICATE_MAX:
        raise bad("a certificate that is too long")
    if len(found.chunk) > MAX_CHUNK:
        raise bad("a chunk that is too long")
    return MomentPart(
        certificate=found.certificate,
        proof=found.proof,
        found=_read_found(found.moment) if found.HasField("moment") else None,
        changes=_read_rows(found) if found.rows else _NO_ROWS,
        chunk=found.chunk,
        came=found.chunk_came,
        last=found.last,
        error=read_error(found.error) if found.error else None,
    )


def _read_rows(found: pb.ReadResponse) -> Changes:
    if len(found.rows) > ROWS_MAX:
        raise bad("too many rows at once")
    offer = Offer(0, number(0), number(0), found.rows, (), found.rows_codec, found.rows_length)
    return changes_in(open_rows(offer))


def _read_found(said: pb.FoundMoment) -> FoundMoment:
    mark = _read_mark(said.mark)
    try:
        reached = Quiesced(said.reached)
    except ValueError as error:
        raise bad("a moment that was reached in an unknown way") from error
    moment = Moment(mark.number, sentence(said.name), said.time, sentence(said.label), said.consistent)
    return FoundMoment(mark, moment, counted(said.entries), counted(said.bytes), reached, counted(said.owed))


def _fill_mark(out: pb.MomentMark, mark: CommitMark) -> None:
    out.epoch, out.number, out.digest = mark.epoch, mark.number, mark.digest


def _read_mark(mark: pb.MomentMark) -> CommitMark:
    if len(mark.epoch) != TOKEN_SIZE or len(mark.digest) != NAME_SIZE or not may_be_sealed(mark.number):
        raise bad("a commit without its epoch or digest")
    return CommitMark(mark.epoch, number(mark.number), mark.digest)


def _parse(message: Any, data: bytes) -> None:  # Any: generated classes have no common type
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise bad("bytes that are no message") from error
