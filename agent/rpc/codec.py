"""Batches and their bytes. What comes in is checked against the limits of ``stream.messages`` before it becomes a
value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from google.protobuf.message import DecodeError

from agent.core.chunks import NAME_SIZE
from agent.core.commit import Position
from agent.core.errors import WireError
from agent.core.ids import EPOCH_LIMIT, Epoch, ObjectId
from agent.rpc import lineage_codec as lineage
from agent.rpc.limits import counted as _counted
from agent.rpc.limits import number as _number
from agent.rpc.limits import sentence as _text
from agent.rpc.limits import short as _short
from agent.rpc.payload import are_many, payload_of, with_payload
from agent.rpc.standing_codec import fill_clock, fill_standing, read_clock, read_standing
from agent.rpc.wire import replication_pb2 as pb
from agent.stream.messages import (
    BATCH_MAX,
    NAMES_MAX,
    OBJECTS_MAX,
    PARTS_MAX,
    PATHS_BYTES,
    PATHS_MAX,
    ROWS_MAX,
    SPAN_MAX,
    TEXT_MAX,
    ZSTD,
    Absent,
    Announce,
    Answers,
    AskBarrier,
    AskOwed,
    Batch,
    Begin,
    Data,
    Heartbeat,
    Hello,
    Need,
    Offer,
    Owing,
    Pieces,
    PrimaryPart,
    Progress,
    Refuse,
    Seal,
    SecondaryPart,
    Sums,
    Welcome,
    Withdraw,
    bad,
)

#: Nothing that was not agreed in the first message may be sent, so this is a fault there, or a release in between.
_NEWER = "upgrade this node, the secondary first; hikae status --json shows the versions of both"
_CERTIFICATE_MAX = 64 << 10
#: Versions that are looked at.
_VERSIONS_MAX = 64


def encode_batch(batch: Batch) -> bytes:
    """The bytes of what a primary says. Messages one after the other are one message with all their parts, so a large payload
    is written behind the rest of its own, and copied once."""
    out: list[bytes | memoryview] = []
    for part in batch:
        if isinstance(part, Data):
            pieces = part.payload.parts if isinstance(part.payload, Pieces) else [part.payload]
            out += with_payload(_data_without_payload(part), pieces)
        else:
            request = pb.ReplicateRequest()
            _FILL[type(part)](request.parts.add(), part)
            out.append(request.SerializeToString())
    return b"".join(out)


def decode_batch(data: bytes) -> Batch:
    """What a primary said. Raises ``WireError``. The payload of chunks is a view of ``data`` where it is most of it."""
    view = payload_of(data) if len(data) <= BATCH_MAX else None
    if view is not None:
        rest, payload = view
        request = _parsed(pb.ReplicateRequest(), rest)
        if (
            len(request.parts) == 1
            and request.parts[0].WhichOneof("part") == "data"
            and not request.parts[0].data.payload
        ):
            return (_read_data(request.parts[0].data, payload),)
    request = _parsed(pb.ReplicateRequest(), data)
    return tuple(cast(PrimaryPart, _read(part)) for part in request.parts)


def encode_answers(answers: Answers) -> bytes:
    """The bytes of what a secondary says."""
    response = pb.ReplicateResponse()
    for part in answers:
        _FILL[type(part)](response.parts.add(), part)
    return response.SerializeToString()


def decode_answers(data: bytes) -> Answers:
    """What a secondary said. Raises ``WireError``."""
    response = _parsed(pb.ReplicateResponse(), data)
    return tuple(cast(SecondaryPart, _read(part)) for part in response.parts)


# Generated classes of different messages have no common type beyond Message; the tables below pair each with its value.


def _parsed(message: Any, data: bytes) -> Any:
    if len(data) > BATCH_MAX:
        raise bad(f"a message of {len(data)} bytes")
    if are_many(data, PARTS_MAX):
        raise bad("too many parts at once, or bytes that are no message of this protocol")
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise bad("bytes that are no message of this protocol") from error
    return message


def _read(part: Any) -> object:
    which = part.WhichOneof("part")
    if which is None:
        raise WireError("read from the peer", "", "it sent a part of a kind that this release does not know", _NEWER)
    return _READ[which](getattr(part, which))


def _fill_hello(part: Any, hello: Hello) -> None:
    out = part.hello
    out.node, out.dataset, out.newest = hello.node, hello.dataset, hello.newest
    out.versions.extend(hello.versions)
    out.nonce, out.config_digest = hello.nonce, hello.config_digest
    out.program, out.kind = hello.program, hello.kind
    out.reason = hello.reason
    lineage.fill_locator(out.locator, hello.locator)
    _fill_epoch(out.epoch, hello.epoch)


def _read_hello(hello: pb.Hello) -> Hello:
    return Hello(
        node=_text(hello.node),
        dataset=_text(hello.dataset),
        versions=tuple(hello.versions[:_VERSIONS_MAX]),
        epoch=_read_epoch(hello.epoch),
        newest=_number(hello.newest),
        nonce=_short(hello.nonce),
        config_digest=_short(hello.config_digest),
        program=_text(hello.program),
        kind=_text(hello.kind),
        locator=lineage.read_locator(hello.locator),
        reason=_text(hello.reason),
    )


def _fill_welcome(part: Any, welcome: Welcome) -> None:
    out = part.welcome
    out.node, out.durable, out.applied = welcome.node, welcome.durable, welcome.applied
    out.durable_digest, out.credit_bytes, out.version = welcome.durable_digest, welcome.credit, welcome.version
    out.certificate, out.proof, out.lacking = welcome.certificate, welcome.proof, welcome.lacking
    out.asks_first, out.compact = welcome.asks_first, welcome.compact
    out.program, out.config_digest = welcome.program, welcome.config_digest
    out.patches, out.owed = welcome.patches, welcome.owed
    out.met_reason = welcome.met_reason
    lineage.fill_locator(out.locator, welcome.locator)
    _fill_epoch(out.epoch, welcome.epoch)
    _fill_epoch(out.met, welcome.met)


def _read_welcome(welcome: pb.Welcome) -> Welcome:
    if len(welcome.certificate) > _CERTIFICATE_MAX or len(welcome.proof) > _CERTIFICATE_MAX:
        raise bad("a certificate that is too long")
    return Welcome(
        node=_text(welcome.node),
        epoch=_read_epoch(welcome.epoch),
        durable=_number(welcome.durable),
        durable_digest=_short(welcome.durable_digest),
        applied=_number(welcome.applied),
        credit=welcome.credit_bytes,
        version=welcome.version,
        certificate=welcome.certificate,
        proof=welcome.proof,
        lacking=welcome.lacking,
        asks_first=welcome.asks_first,
        compact=welcome.compact,
        program=_text(welcome.program),
        config_digest=_short(welcome.config_digest),
        patches=welcome.patches,
        met=_read_epoch(welcome.met),
        owed=_counted(welcome.owed),
        locator=lineage.read_locator(welcome.locator),
        met_reason=_text(welcome.met_reason),
    )


def _fill_epoch(out: pb.Epoch, epoch: Epoch) -> None:
    out.number, out.owner, out.token = epoch.number, epoch.owner, epoch.token


def _read_epoch(epoch: pb.Epoch) -> Epoch:
    if epoch.number >= EPOCH_LIMIT:
        raise bad(f"epoch {epoch.number}")
    return Epoch(epoch.number, _text(epoch.owner), _short(epoch.token))


def _fill_offer(part: Any, offer: Offer) -> None:
    out = part.offer
    out.id, out.number, out.parent, out.rows = offer.id, offer.number, offer.parent, offer.rows
    out.rows_codec, out.rows_length, out.implied = offer.codec, offer.rows_length, offer.implied
    out.whole = offer.whole
    if offer.asked:
        out.kinds = bytes([kind for kind, _ in offer.asked])
        out.names = b"".join([name for _, name in offer.asked])


def _read_offer(offer: pb.Offer) -> Offer:
    kinds, names, rows = offer.kinds, offer.names, offer.rows
    if len(names) != NAME_SIZE * len(kinds) or len(kinds) > NAMES_MAX or len(rows) > ROWS_MAX:
        raise bad("an offer whose names or rows are too many or cut short")
    if offer.rows_codec > ZSTD or offer.rows_length > ROWS_MAX or (names and (offer.implied or offer.whole)):
        raise bad("an offer whose rows are packed in an unknown way")
    if kinds.strip(b"\x00\x02"):
        raise bad("a name of an unknown kind")
    split = [names[at : at + NAME_SIZE] for at in range(0, len(names), NAME_SIZE)]
    asked = tuple(zip(kinds, split, strict=True))
    return Offer(
        offer.id,
        _number(offer.number),
        _number(offer.parent),
        rows,
        asked,
        offer.rows_codec,
        offer.rows_length,
        offer.implied,
        offer.whole,
    )


def _data_without_payload(data: Data) -> bytes:
    out = pb.Data(kinds=data.kinds, codecs=data.codecs, content=data.content)
    out.raw_lengths.extend(data.raw_lengths)
    out.stored_lengths.extend(data.stored_lengths)
    return out.SerializeToString()


def _read_data(data: pb.Data, payload: memoryview | None = None) -> Data:
    if len(data.raw_lengths) != len(data.kinds) or len(data.stored_lengths) != len(data.kinds):
        raise bad("chunks whose packed fields differ in number")
    got = Data(
        data.kinds,
        data.codecs,
        list(data.raw_lengths),
        list(data.stored_lengths),
        data.payload if payload is None else payload,
        data.content,
    )
    got.check()
    return got


def _fill_seal(part: Any, seal: Seal) -> None:
    out = part.seal
    out.number, out.parent, out.time = seal.number, seal.parent, seal.time
    out.consistent, out.digest, out.rows = seal.consistent, seal.digest, seal.rows
    out.entries, out.bytes, out.fuzzy, out.absent = seal.entries, seal.bytes, seal.fuzzy, seal.absent
    lineage.fill_provenance(out, seal)


def _read_seal(seal: pb.Seal) -> Seal:
    return Seal(
        number=_number(seal.number),
        parent=_number(seal.parent),
        time=seal.time,
        consistent=seal.consistent,
        digest=_short(seal.digest),
        entries=_counted(seal.entries),
        bytes=_counted(seal.bytes),
        fuzzy=_counted(seal.fuzzy),
        rows=_counted(seal.rows),
        absent=_counted(seal.absent),
        provenance=lineage.read_provenance(seal),
        same_as=lineage.read_mark_of(seal, "same_as"),
        barrier=_counted(seal.barrier),
    )


def _fill_absent(part: Any, absent: Absent) -> None:
    out = part.absent
    out.number, out.parent = absent.number, absent.parent
    out.objects.extend(absent.objects)


def _read_absent(absent: pb.Absent) -> Absent:
    return Absent(_number(absent.number), _number(absent.parent), _objects(absent.objects))


def _fill_ask_owed(part: Any, ask: AskOwed) -> None:
    part.ask_owed.after = ask.after


def _fill_owing(part: Any, owing: Owing) -> None:
    part.owing.total = owing.total
    part.owing.objects.extend(owing.objects)


def _read_owing(owing: pb.Owing) -> Owing:
    return Owing(_counted(owing.total), _objects(owing.objects))


def _fill_withdraw(part: Any, withdraw: Withdraw) -> None:
    part.withdraw.number = withdraw.number


def _fill_heartbeat(part: Any, heartbeat: Heartbeat) -> None:
    part.heartbeat.monotonic = heartbeat.monotonic
    if heartbeat.standing is not None:
        fill_standing(part.heartbeat.standing, heartbeat.standing)
    fill_clock(part.heartbeat, heartbeat.clock)
    lineage.fill_reached(part.heartbeat, heartbeat.barrier)


def _read_heartbeat(heartbeat: pb.Heartbeat) -> Heartbeat:
    reached = lineage.read_reached(heartbeat)
    return Heartbeat(heartbeat.monotonic, read_standing(heartbeat), read_clock(heartbeat), reached)


def _fill_announce(part: Any, announce: Announce) -> None:
    out = part.announce
    out.count, out.all, out.since = announce.count, announce.all, announce.since
    out.paths.extend(announce.paths)
    out.sizes.extend(announce.sizes)
    out.number = announce.number
    if announce.lag is not None:
        out.lag = announce.lag
    if announce.age is not None:
        out.age = announce.age


def _read_announce(announce: pb.Announce) -> Announce:
    if len(announce.paths) > PATHS_MAX or sum(map(len, announce.paths)) > PATHS_BYTES:
        raise bad("too many paths at once")
    if len(announce.sizes) not in (0, len(announce.paths)):
        raise bad("sizes of other paths than are announced")
    return Announce(
        _counted(announce.count),
        tuple(announce.paths),
        announce.all,
        announce.since,
        tuple(_counted(size) for size in announce.sizes),
        _number(announce.number),
        _span(announce.lag) if announce.HasField("lag") else None,
        _span(announce.age) if announce.HasField("age") else None,
    )


def _span(seconds: float) -> float:
    """A duration that a peer tells."""
    if not 0 <= seconds <= SPAN_MAX:
        raise bad("a span of time that never was")
    return seconds


def _fill_need(part: Any, need: Need) -> None:
    part.need.offer = need.offer
    part.need.indexes.extend(need.indexes)


def _read_need(need: pb.Need) -> Need:
    if len(need.indexes) > NAMES_MAX:
        raise bad("an answer with too many names")
    return Need(need.offer, tuple(need.indexes))


def _fill_progress(part: Any, progress: Progress) -> None:
    out = part.progress
    out.durable, out.applied = progress.position.durable, progress.position.applied
    out.consumed_bytes, out.owed = progress.consumed, progress.owed
    if progress.standing is not None:
        fill_standing(out.standing, progress.standing)
    fill_clock(out, progress.clock)


def _read_progress(progress: pb.Progress) -> Progress:
    position = Position(_number(progress.durable), _number(progress.applied))
    owed = _counted(progress.owed)
    return Progress(position, progress.consumed_bytes, read_standing(progress), owed, read_clock(progress))


def _fill_refuse(part: Any, refuse: Refuse) -> None:
    out = part.refuse
    out.code, out.reason, out.remedy = refuse.code, refuse.reason[:TEXT_MAX], refuse.remedy[:TEXT_MAX]
    out.epoch = refuse.epoch


def _read_refuse(refuse: pb.Refuse) -> Refuse:
    return Refuse(_text(refuse.code), _text(refuse.reason), _text(refuse.remedy), refuse.epoch)


def _objects(ids: Sequence[int]) -> tuple[ObjectId, ...]:
    if len(ids) > OBJECTS_MAX:
        raise bad(f"{len(ids)} objects at once")
    return tuple(ObjectId(_counted(id)) for id in ids)


_FILL: dict[type, Callable[[Any, Any], None]] = {
    Hello: _fill_hello,
    Offer: _fill_offer,
    Seal: _fill_seal,
    Withdraw: _fill_withdraw,
    Heartbeat: _fill_heartbeat,
    Announce: _fill_announce,
    Absent: _fill_absent,
    AskOwed: _fill_ask_owed,
    Welcome: _fill_welcome,
    Need: _fill_need,
    Progress: _fill_progress,
    Refuse: _fill_refuse,
    Owing: _fill_owing,
    Begin: lineage.fill_begin,
    Sums: lineage.fill_sums,
    AskBarrier: lineage.fill_barrier,
}
_READ: dict[str, Callable[[Any], object]] = {
    "hello": _read_hello,
    "offer": _read_offer,
    "data": _read_data,
    "seal": _read_seal,
    "withdraw": lambda part: Withdraw(_number(part.number)),
    "heartbeat": _read_heartbeat,
    "announce": _read_announce,
    "absent": _read_absent,
    "ask_owed": lambda part: AskOwed(ObjectId(_counted(part.after))),
    "welcome": _read_welcome,
    "need": _read_need,
    "progress": _read_progress,
    "refuse": _read_refuse,
    "owing": _read_owing,
    "begin": lineage.read_begin,
    "sums": lineage.read_sums,
    "barrier": lineage.read_barrier,
}
