"""Who we are, read again when its files change, and who the other side is. Mutual TLS is always on."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

import grpc
from cryptography import x509

from agent import pki
from agent.core.clock import Clock
from agent.core.errors import HikaeError, TryAgain
from agent.pki.certificate import parse_certificate, parse_certificates

_Stamp = tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files. ``crl`` may be absent from the disk; ``kept``: where the newest list is remembered, "" for nowhere."""

    ca: str
    cert: str
    key: str
    crl: str
    kept: str = ""


#: How often a call that stands looks whether both sides are still who they were, seconds.
RECHECK_SECONDS = 5.0


class Identities:
    """This node's identity as it stands on disk. Thread-safe; one for a node.

    ``name``: the node's own, which its certificate must carry."""

    def __init__(self, files: TlsFiles, name: str, clock: Clock) -> None:
        self.files = files
        self.name = name
        self.crl = pki.RevocationList(files.crl, files.ca, files.kept)
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._identity: pki.NodeIdentity | None = None

    def current(self) -> pki.NodeIdentity:
        """The identity, read again if a file has changed. Raises ``ConfigError``, ``IdentityError``, also once it has run out or
        was revoked."""
        files = self.files
        with self._lock:
            stamp = tuple(_stamp(path) for path in (files.ca, files.cert, files.key))
            if self._identity is None or stamp != self._stamp:
                self._identity = pki.load_identity(
                    files.cert, files.key, files.ca, self.crl, self._clock.now_ns(), self.name
                )
                self._stamp = stamp
            else:
                pki.still_good(self._identity, self.crl, self._clock.now_ns())
            return self._identity

    @property
    def ends(self) -> int | None:
        """When the certificate that was read last ends, UTC ns; None before any was good."""
        known = self._identity
        return known.not_after if known is not None else None

    def vouch(self, begun: pki.NodeIdentity) -> None:
        """A call that began with this identity may go on. Files that do not fit together yet are waited for.

        Raises ``IdentityError``: it has run out or was revoked; ``TryAgain``: it was replaced."""
        pki.still_good(begun, self.crl, self._clock.now_ns())
        if self._newest() is not begun:
            raise TryAgain(
                "replicate", self.name, "its certificate was replaced", "the connection is made anew with it"
            )

    def _newest(self) -> pki.NodeIdentity:
        """The identity as it stands on disk, or the last that was good."""
        try:
            return self.current()
        except HikaeError:
            known = self._identity
            if known is None:
                raise
            return known

    def sign(self, nonce: bytes) -> tuple[bytes, bytes]:
        """``(certificate PEM, signature)`` for a client's nonce."""
        identity = self.current()
        return identity.cert_pem, pki.sign_proof(identity.key_pem, nonce)

    def check_server(self, peer: str, certificate: bytes, nonce: bytes, proof: bytes) -> None:
        """Accept that ``peer`` answers. Raises ``IdentityError``."""
        ca_pem = self.current().ca_pem
        pki.verify_proof(certificate, ca_pem, self.crl, peer, nonce, proof, self._clock.now_ns())

    def check_peer(self, peer: str, certificate: bytes) -> None:
        """The certificate (PEM) of ``peer``, which it has proven to be its own, is still good. Raises ``IdentityError``."""
        self._name_of(parse_certificate(certificate, peer), peer)

    def client_name(self, pem: bytes) -> str:
        """The name that a client's certificate proves, checked again here as lists of revoked ones change while
        connections live. Raises ``IdentityError``."""
        return self._name_of(parse_certificate(pem, "certificate of the client"), None)

    def _name_of(self, certificate: x509.Certificate, expected: str | None) -> str:
        authorities = parse_certificates(self._newest().ca_pem, self.files.ca)
        name = pki.verify_certificate(certificate, authorities, expected, self._clock.now_ns())
        self.crl.refuse_revoked(certificate, name)
        return name


def server_credentials(identities: Identities) -> grpc.ServerCredentials:
    """Credentials that follow the files, without a restart. Raises ``ConfigError``, ``IdentityError`` now, never
    later."""
    served = identities.current()

    def newest() -> grpc.ServerCertificateConfiguration | None:
        nonlocal served
        try:
            found = identities.current()
        except HikaeError:
            return None  # what was good goes on being shown; status tells of the files
        if found is served:
            return None
        served = found
        return _server_configuration(found)

    # types-grpcio knows no None from the fetcher, which gRPC takes for "as before".
    return grpc.dynamic_ssl_server_credentials(
        _server_configuration(served),
        newest,  # type: ignore[arg-type]
        require_client_authentication=True,
    )


def channel_credentials(identity: pki.NodeIdentity) -> grpc.ChannelCredentials:
    """A client's credentials. They never change: a renewed certificate needs a new channel."""
    return grpc.ssl_channel_credentials(identity.ca_pem, identity.key_pem, identity.cert_pem)


def presented(context: grpc.ServicerContext) -> bytes:
    """The client's certificate (PEM), which TLS has found to be of our authority; empty when there is none."""
    found: Any = context.auth_context().get("x509_pem_cert")
    return bytes(found[0]) if found else b""


def _server_configuration(identity: pki.NodeIdentity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(identity.key_pem, identity.cert_pem)], identity.ca_pem)


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
