"""What a node shows to others, checked before it is shown; and the proof that a server holds the key of its certificate.

Python's gRPC hands a client no certificate of the server, so the server signs the client's nonce in its Welcome.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.core.errors import ConfigError
from agent.pki.certificate import (
    IdentityError,
    parse_certificate,
    parse_certificates,
    read_file,
    serial_text,
    to_ns,
    verify_certificate,
)
from agent.pki.revocation import RevocationList

#: Set apart from everything else that may ever be signed with the same key.
PROOF_CONTEXT = b"hikae welcome v1\0"
#: Fewer random bytes could come again.
NONCE_LENGTHS = range(16, 65)

#: A renewal writes the new key here before it replaces the certificate, and moves it into place after.
NEXT_KEY = ".next"
#: A reader that falls between the steps of a renewal reads again; two renewals in a row are not that fast.
_READS = 3


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """A node's own name, and the PEM that TLS needs for it. ``not_after`` is UTC ns."""

    name: str
    serial: str
    not_after: int
    cert_pem: bytes
    key_pem: bytes
    ca_pem: bytes


def load_identity(
    cert: str, key: str, ca: str, crl: RevocationList, now_ns: int, expected_name: str | None = None
) -> NodeIdentity:
    """Read a node's certificate, key and authority, and check that they will be accepted by others.

    Works at any moment of a renewal. Raises ConfigError for a file that cannot be read, IdentityError for what is in it.
    """
    ca_pem = read_file(ca, "certificate of the authority", "copy ca.crt from where the CA key is")
    cert_pem, key_pem, certificate = _read_pair(cert, key)
    name = verify_certificate(certificate, parse_certificates(ca_pem, ca), expected_name, now_ns)
    crl.refuse_revoked(certificate, name)
    not_after = to_ns(certificate.not_valid_after_utc)
    return NodeIdentity(name, serial_text(certificate.serial_number), not_after, cert_pem, key_pem, ca_pem)


def still_good(identity: NodeIdentity, crl: RevocationList, now_ns: int) -> None:
    """An identity that was good when it was loaded is so now. Raises IdentityError: it has run out, or was revoked."""
    certificate = parse_certificate(identity.cert_pem, identity.name)
    name = verify_certificate(certificate, parse_certificates(identity.ca_pem, "authority"), identity.name, now_ns)
    crl.refuse_revoked(certificate, name)


def _read_pair(cert: str, key: str) -> tuple[bytes, bytes, x509.Certificate]:
    """A certificate and the key that belongs to it."""
    for _ in range(_READS):
        cert_pem = read_file(cert, "certificate", "issue one with: hikae pki issue, and copy it here")
        certificate = parse_certificate(cert_pem, cert)
        for path in (key, key + NEXT_KEY):
            try:
                key_pem = read_file(path, "private key", "copy it from where it was issued, readable for this user")
            except ConfigError:
                if path == key:
                    raise
                continue
            if _private(key_pem, path).public_key() == certificate.public_key():
                _refuse_open(path)
                return cert_pem, key_pem, certificate
    reason = "the key does not belong to the certificate"
    raise IdentityError("key-mismatch", "use the private key", key, reason, f"copy {cert} and {key} together again")


def _refuse_open(key: str) -> None:
    """A key that others may read is no proof of who uses it."""
    if os.stat(key).st_mode & 0o077:
        raise IdentityError("key-open", "use the private key", key, f"{key} can be read by others", f"chmod 600 {key}")


def _private(pem: bytes, subject: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        reason = "there is no private key in PEM without a password in it"
        raise IdentityError("key-mismatch", "read the private key", subject, reason) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise IdentityError("key-mismatch", "read the private key", subject, "it is no elliptic curve key")
    return key


def sign_proof(key_pem: bytes, nonce: bytes) -> bytes:
    """A signature (ECDSA with SHA-256, DER) over the other side's nonce."""
    return _private(key_pem, "own key").sign(PROOF_CONTEXT + nonce, ec.ECDSA(hashes.SHA256()))


def verify_proof(
    cert_pem: bytes,
    ca_pem: bytes,
    crl: RevocationList,
    expected_name: str,
    nonce: bytes,
    signature: bytes,
    now_ns: int,
) -> None:
    """Accept that the other side holds an unrevoked certificate of the authority for ``expected_name``, or raise IdentityError.

    ``nonce`` is our own, of 16 to 64 random bytes, fresh for each exchange.
    """
    certificate = parse_certificate(cert_pem, expected_name)
    verify_certificate(certificate, parse_certificates(ca_pem, "authority"), expected_name, now_ns)
    crl.refuse_revoked(certificate, expected_name)
    public = certificate.public_key()
    try:
        if len(nonce) not in NONCE_LENGTHS or not isinstance(public, ec.EllipticCurvePublicKey):
            raise InvalidSignature
        public.verify(signature, PROOF_CONTEXT + nonce, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        reason = "it did not prove that it holds the key of its certificate"
        remedy = "check who answers at its address"
        raise IdentityError("proof-wrong", "accept the peer", f'"{expected_name}"', reason, remedy) from error
