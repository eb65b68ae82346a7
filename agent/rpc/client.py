"""The way out: one call to a peer over mutual TLS."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc

from agent import pki
from agent.core.errors import HikaeError, NotPermitted, Unreachable
from agent.rpc.codec import decode_answers, encode_batch
from agent.rpc.probe import why_unreachable
from agent.rpc.short_messages import Packing
from agent.rpc.tls import RECHECK_SECONDS, Identities, TlsFiles, channel_credentials
from agent.stream.messages import BATCH_MAX, Answers, Batch, Hello, Welcome

METHOD = "/hikae.v1.ReplicationService/Replicate"
#: Both sides ping, so that a link that is half open is found within 20 s; the server permits it (``rpc.server``).
KEEPALIVE = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
SIZES = (
    # 16 KiB by default; larger frames took a fifth off both sides' time for a large file (docs/performance.md).
    ("grpc.http2.max_frame_size", 256 << 10),
    ("grpc.max_receive_message_length", BATCH_MAX),
    ("grpc.max_send_message_length", BATCH_MAX),
)


def why_ended(error: grpc.RpcError, operation: str, peer: str, address: str, files: TlsFiles) -> HikaeError:
    """Why a call to a peer ended, in words. Takes a few seconds at most."""
    code, told = _code(error), _details(error)
    if code is grpc.StatusCode.UNAVAILABLE:
        return why_unreachable(peer, address, files, told)
    if code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED):
        return NotPermitted("reach the peer", peer, told, "see hikae pki show on both nodes")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Unreachable("reach the peer", peer, "what answers there is no hikae agent", "correct the address")
    if code is grpc.StatusCode.CANCELLED:
        return Unreachable(operation, peer, "the call was cancelled", "it is dialled again")
    return Unreachable(operation, peer, told or str(code), "it is dialled again")


def is_unknown(error: grpc.RpcError) -> bool:
    """Whether the other side serves no such calls."""
    return _code(error) is grpc.StatusCode.UNIMPLEMENTED


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    # Every error of a call is a grpc.Call too; the declared types exclude that.
    call: Any = error
    code: grpc.StatusCode = call.code()
    return code


def _details(error: grpc.RpcError) -> str:
    call: Any = error
    return str(call.details() or "")


class GrpcTransport:
    """Calls to one peer; a ``stream.sending.link.Transport``. The channel is made anew when the own certificate was renewed."""

    def __init__(self, peer: str, address: str, identities: Identities, recheck: float = RECHECK_SECONDS) -> None:
        self._peer = peer
        self._address = address
        self._identities = identities
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._identity: pki.NodeIdentity | None = None
        self._call: grpc.Call | None = None
        self._recheck = recheck

    def exchange(self, peer: str, outgoing: Iterator[Batch]) -> Iterator[Answers]:
        """See ``stream.sending.link.Transport``."""
        nonce: list[bytes] = []
        try:
            # Bytes both ways: the codec is ours, so that what is wrong with a message can be said.
            replicate: Any = self._dialled().stream_stream(METHOD)
            call = replicate(_encoded(outgoing, nonce))
            with self._lock:
                self._call, own = call, self._identity
            standing = _Standing(self._identities, self._peer, own, self._recheck)
            for data in call:
                answers = decode_answers(data)
                self._check_welcome(answers, nonce, standing)
                standing.check()
                yield answers
        except grpc.RpcError as error:
            raise self._mapped(error) from error
        finally:
            self.cancel()

    def cancel(self) -> None:
        """See ``stream.sending.link.Transport``."""
        with self._lock:
            call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def close(self) -> None:
        """End the call and give the connection back."""
        self.cancel()
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _dialled(self) -> grpc.Channel:
        identity = self._identities.current()
        with self._lock:
            if self._channel is None or identity is not self._identity:
                if self._channel is not None:
                    self._channel.close()
                self._identity = identity
                options = (*KEEPALIVE, *SIZES, ("grpc.ssl_target_name_override", self._peer))
                self._channel = grpc.secure_channel(self._address, channel_credentials(identity), options)
            return self._channel

    def _check_welcome(self, answers: Answers, nonce: list[bytes], standing: _Standing) -> None:
        for part in answers:
            if isinstance(part, Welcome):
                self._identities.check_server(self._peer, part.certificate, nonce[0], part.proof)
                standing.certificate = part.certificate

    def _mapped(self, error: grpc.RpcError) -> HikaeError:
        if _code(error) is grpc.StatusCode.UNAVAILABLE:
            self.close()  # a broken connection waits out gRPC's own pause; ours is the only one
        return why_ended(error, "replicate", self._peer, self._address, self._identities.files)


class _Standing:
    """A call that goes on, and who speaks in it: asked again every few seconds, as an answer comes at least so often."""

    def __init__(self, identities: Identities, peer: str, own: pki.NodeIdentity | None, every: float) -> None:
        self.certificate = b""
        self._identities = identities
        self._peer = peer
        self._own = own
        self._every = every
        self._checked = time.monotonic()

    def check(self) -> None:
        """Raises ``IdentityError`` once either certificate is good no more, ``TryAgain`` when our own was replaced."""
        if not self.certificate or self._own is None or time.monotonic() - self._checked < self._every:
            return
        self._identities.check_peer(self._peer, self.certificate)
        self._identities.vouch(self._own)
        self._checked = time.monotonic()


def _encoded(outgoing: Iterator[Batch], nonce: list[bytes]) -> Iterator[bytes]:
    """The messages of a call. The first one travels as it is: a release that packs otherwise must be able to refuse it."""
    packing = Packing()
    for batch in outgoing:
        if isinstance(batch[0], Hello):
            if not nonce:
                nonce.append(batch[0].nonce)
            yield encode_batch(batch)
        else:
            yield packing.pack(encode_batch(batch))
