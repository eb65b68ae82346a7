"""Messages of ``peer.proto`` and their bytes. Everything raises ``WireError`` for what is not as agreed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google.protobuf.message import DecodeError

from agent.core.error_json import error_from, error_json
from agent.core.errors import HikaeError
from agent.core.forwarded import Forwarded
from agent.rpc.limits import short
from agent.rpc.peers.peer_limits import ARGUMENTS_MAX, CERTIFICATE_MAX, NAME_MAX, PART, RESULT_MAX
from agent.rpc.wire import peer_pb2 as pb
from agent.stream.messages import bad

_REASON_MAX = 4 << 10
_TOO_MUCH = "narrow down what is asked for, or type it on that node"


class _Message(Protocol):
    """What generated classes have in common."""

    def ParseFromString(self, data: bytes, /) -> int: ...  # noqa: N802  # protobuf's name


MessageT = TypeVar("MessageT", bound=_Message)


@dataclass(frozen=True, slots=True)
class Answered:
    """One message of an answer: who speaks (the first), ``progress`` (None: only a sign of life), a ``part`` of the result,
    whether that was the ``last``, or why there is no result."""

    certificate: bytes = b""
    proof: bytes = b""
    progress: dict[str, Any] | None = None  # Any: JSON is a foreign edge
    part: bytes = b""
    last: bool = False
    error: HikaeError | None = None


def encode_ask(asked: Forwarded, nonce: bytes) -> bytes:
    """The request. Raises ``WireError`` for arguments that no node would take."""
    arguments = json.dumps(dict(asked.arguments)).encode()
    if len(arguments) > ARGUMENTS_MAX:
        raise bad("arguments that are too long")
    return pb.AskRequest(
        nonce=nonce,
        dataset=asked.dataset,
        operation=asked.operation,
        arguments=arguments,
        typist=asked.typist[:NAME_MAX],
    ).SerializeToString()


def decode_ask(data: bytes) -> tuple[bytes, Forwarded]:
    """The nonce, and what is asked."""
    found = _parsed(pb.AskRequest(), data)
    if max(map(len, (found.dataset, found.operation, found.typist))) > NAME_MAX:
        raise bad("a name that is too long")
    if not found.nonce:
        raise bad("a request without a nonce")
    arguments = _object(found.arguments, "arguments")
    return short(found.nonce), Forwarded(found.dataset, found.operation, arguments, found.typist)


def encode_introduced(certificate: bytes, proof: bytes) -> bytes:
    """Who answers."""
    return pb.AskResponse(certificate=certificate, proof=proof).SerializeToString()


def encode_progress(progress: dict[str, Any] | None) -> bytes:
    """How it goes. What is too long to be told is a sign of life."""
    said = b"" if progress is None else json.dumps(progress).encode()
    return pb.AskResponse(progress=said if len(said) <= ARGUMENTS_MAX else b"").SerializeToString()


def encode_result(result: object) -> Iterator[bytes]:
    """The parts of a result, or an error where it is too long to travel."""
    whole = json.dumps(result).encode()
    if len(whole) > RESULT_MAX:
        reason = f"the answer has {len(whole):,} bytes, and at most {RESULT_MAX:,} travel to another node"
        yield encode_failure(HikaeError("answer another node", "", reason, _TOO_MUCH))
        return
    for start in range(0, len(whole), PART):
        part = whole[start : start + PART]
        yield pb.AskResponse(part=part, last=start + PART >= len(whole)).SerializeToString()


def encode_failure(error: HikaeError) -> bytes:
    """Why there is no result."""
    return pb.AskResponse(error=error_bytes(error)).SerializeToString()


def error_bytes(error: HikaeError) -> bytes:
    """An error as it travels; of one that is too long, the beginning."""
    said = json.dumps(error_json(error)).encode()
    if len(said) > ARGUMENTS_MAX:
        shorter = type(error)(error.operation, error.subject[:NAME_MAX], error.reason[:_REASON_MAX], "")
        said = json.dumps(error_json(shorter)).encode()
    return said


def decode_answer(data: bytes) -> Answered:
    """One message of an answer."""
    found = _parsed(pb.AskResponse(), data)
    if len(found.certificate) > CERTIFICATE_MAX or len(found.proof) > CERTIFICATE_MAX:
        raise bad("a certificate that is too long")
    if len(found.part) > PART:
        raise bad("a part that is too long")
    error = read_error(found.error) if found.error else None
    progress = _object(found.progress, "progress") if found.progress else None
    return Answered(found.certificate, found.proof, progress, found.part, found.last, error)


def whole_result(parts: list[bytes]) -> object:
    """The result, from its parts."""
    return _json(b"".join(parts), "result")


def _parsed(message: MessageT, data: bytes) -> MessageT:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise bad("bytes that are no message") from error
    return message


def _object(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > ARGUMENTS_MAX:
        raise bad(f"{what} that are too long")
    value = _json(data, what)
    if not isinstance(value, dict):
        raise bad(f"{what} that are no JSON object")
    return value


def _json(data: bytes, what: str) -> object:
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise bad(f"{what} that are no JSON") from error
    return value


def read_error(data: bytes) -> HikaeError:
    """What :func:`error_bytes` said."""
    try:
        return error_from(_object(data, "error"))
    except (KeyError, TypeError, ValueError) as error:
        raise bad("an error that cannot be understood") from error
