"""The authority's list of revoked certificates (a CRL, RFC 5280) as a node has it beside ``ca.crt``, and what it remembers of it.

The newest list that was believed is kept in the node's own state. So whom a node has shut out stays out, also after a restart,
whatever becomes of the file; and what is wrong with the file is said in the same words by everybody who looks.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.core.errors import HikaeError
from agent.fs.durable import write_durably
from agent.pki.certificate import IdentityError, day, from_ns, parse_certificates, read_file, to_ns

_Stamp = tuple[int, int, int]
_COPY = "copy ca.crl anew from where the CA key is"
_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
#: A node meets few authorities in its life.
_KEPT_MAX = 8


@dataclass(frozen=True, slots=True)
class Listed:
    """One list. ``authority``: SHA-256 of the public key that signed it; ``issued``, ``until``: UTC ns, the latter None where it
    has no end."""

    authority: bytes
    number: int
    issued: int
    until: int | None
    serials: frozenset[int]
    pem: bytes

    @property
    def age(self) -> tuple[int, int]:
        """Greater for a newer one of the same authority."""
        return self.number, self.issued

    @property
    def shown(self) -> str:
        """For messages."""
        return f"number {self.number} of {day(from_ns(self.issued))}"


@dataclass(frozen=True, slots=True)
class Lists:
    """What a file holds: the lists of the authorities that we have, by authority; ``strange``: those of others (PEM);
    ``fault``: why it cannot be read or believed, "" where it can; ``absent``: there is none."""

    own: Mapping[bytes, Listed] = field(default_factory=dict)
    strange: tuple[bytes, ...] = ()
    fault: str = ""
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with the list. ``fatal``: nobody can be believed until it is put right."""

    message: str
    remedy: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"


def findings(path: str, found: Lists, kept: Lists, now_ns: int) -> tuple[Finding, ...]:
    """What has to be said of the list at ``path`` beside the ones that are remembered. Pure."""
    said: list[Finding] = []
    if kept.fault:
        remedy = "if no certificate was ever revoked, remove it"
        said.append(Finding(f"the list of revoked certificates that was kept {kept.fault}", remedy, fatal=True))
    if found.fault:
        said.append(_unbelieved(path, found, kept))
    elif found.strange and not found.own:
        said.append(_foreign(path, kept))
    for authority, before in kept.own.items():
        now = found.own.get(authority)
        if now is None and (found.absent or found.own):
            said.append(Finding(f"{path} is missing, or lacks the list of an authority; {_stays(before)}", _COPY))
        elif now is not None and (now.number < before.number or now.issued < before.issued):
            said.append(Finding(f"{path} ({now.shown}) is older than the one before; {_stays(before)}", _COPY))
    for one in in_force(found, kept).values():
        if one.until is not None and now_ns >= one.until:
            until = day(from_ns(one.until))
            said.append(
                Finding(f"{path} was to be replaced by {until}: what was revoked since is not known here", _COPY)
            )
    return tuple(said)


def in_force(found: Lists, kept: Lists) -> dict[bytes, Listed]:
    """The newest list of each authority."""
    newest = dict(kept.own)
    for authority, one in found.own.items():
        before = newest.get(authority)
        if before is None or one.age >= before.age:
            newest[authority] = one
    return newest


def _stays(before: Listed) -> str:
    return f"that one ({before.shown}) stays in force, and what was revoked since is not known here"


def _unbelieved(path: str, found: Lists, kept: Lists) -> Finding:
    newest = max(kept.own.values(), key=lambda one: one.age, default=None)
    if newest is None:
        return Finding(f"{path}: {found.fault}; nobody can be believed", _COPY, fatal=True)
    return Finding(f"{path}: {found.fault}; the one before stays: {_stays(newest)}", _COPY)


def _foreign(path: str, kept: Lists) -> Finding:
    known = "the one before stays in force" if kept.own else "no list of ours is known here, so nobody is shut out"
    return Finding(f"{path} is not signed by the authority, but by another one; {known}", _COPY)


class RevocationList:
    """Serials that are revoked, read again whenever a file changes. Thread-safe.

    ``kept``: where the newest list is remembered, "" for nowhere. A file that was never there revokes nothing. One that cannot be
    believed, while nothing is remembered, makes nobody believed.
    """

    def __init__(self, path: str, ca_path: str, kept: str = "", *, keeps: bool = True) -> None:
        """``keeps``: what is new is written to ``kept``; else that is only read."""
        self._path = path
        self._ca_path = ca_path
        self._kept_path = kept
        self._keeps = keeps
        self._lock = threading.Lock()
        self._stamp: tuple[_Stamp | None, ...] | None = None
        self._found = Lists(absent=True)
        self._kept = Lists(absent=True)
        self._unwritten = ""

    def is_revoked(self, serial: int) -> bool:
        """Whether a certificate's serial is on the list. Raises IdentityError (crl-not-believed)."""
        with self._lock:
            self._reload()
            fatal = [one for one in findings(self._path, self._found, self._kept, 0) if one.fatal]
            if fatal:
                reason, remedy = fatal[0].message, fatal[0].remedy
                raise IdentityError("crl-not-believed", "use the revocation list", self._path, reason, remedy)
            return any(serial in one.serials for one in self._kept.own.values())

    def refuse_revoked(self, certificate: x509.Certificate, subject: str) -> None:
        """Raise IdentityError (certificate-revoked) when a certificate is on the list."""
        if self.is_revoked(certificate.serial_number):
            remedy = f"issue a new one with: hikae pki issue {subject}"
            raise IdentityError(
                "certificate-revoked", "accept the certificate", f'"{subject}"', "the certificate is revoked", remedy
            )

    def findings(self, now_ns: int) -> tuple[Finding, ...]:
        """What has to be said about it now. Raises ``ConfigError`` and ``IdentityError`` for the authority's certificate."""
        with self._lock:
            self._reload()
            said = findings(self._path, self._found, self._kept, now_ns)
        if self._unwritten:
            said += (Finding(f"the list cannot be remembered: {self._unwritten}", "correct [node] state_dir"),)
        return said

    def until(self) -> int | None:
        """When the list in force is to be replaced, UTC ns; None where there is none."""
        with self._lock:
            return min((one.until for one in self._kept.own.values() if one.until is not None), default=None)

    def _reload(self) -> None:
        stamp = (_stamp(self._path), _stamp(self._ca_path))
        if stamp == self._stamp:
            return
        keys = _keys(parse_certificates(read_file(self._ca_path, "certificate of the authority", ""), self._ca_path))
        remembered = self._remembered(keys)
        self._found = read_lists(self._path, keys)
        newest = in_force(self._found, remembered)
        changed = any(remembered.own.get(authority) != one for authority, one in newest.items())
        # What was damaged is made anew from a list that is believed.
        self._kept = Lists(newest, remembered.strange, "" if newest else remembered.fault, not newest)
        if self._kept_path and self._keeps and changed:
            self._write()
        self._stamp = stamp

    def _remembered(self, keys: Mapping[bytes, ec.EllipticCurvePublicKey]) -> Lists:
        """What is kept on the disk, and what this object has seen where that is newer."""
        disk = read_lists(self._kept_path, keys, ours=self._keeps) if self._kept_path else Lists(absent=True)
        seen = {authority: one for authority, one in self._kept.own.items() if authority in keys}
        return Lists(in_force(disk, Lists(seen)), disk.strange, disk.fault, disk.absent and not seen)

    def _write(self) -> None:
        """Those of authorities that we do not have now are kept too: they may come back."""
        own = [one.pem for one in self._kept.own.values()]
        try:
            write_durably(self._kept_path, b"\n".join([*own, *self._kept.strange][:_KEPT_MAX]) + b"\n")
            self._unwritten = ""
        except OSError as error:
            self._unwritten = f"{self._kept_path}: {error.strerror}"


def read_lists(path: str, keys: Mapping[bytes, ec.EllipticCurvePublicKey], *, ours: bool = True) -> Lists:
    """The lists in a file. Not ``ours``: one that we may not read says nothing (an operator who is not root)."""
    try:
        blocks = _blocks(path)
    except FileNotFoundError:
        return Lists(absent=True)
    except OSError as error:
        return Lists(fault=f"it cannot be read ({error.strerror})") if ours else Lists(absent=True)
    if not blocks:
        return Lists(fault="there is no revocation list in PEM in it")
    own: dict[bytes, Listed] = {}
    strange: list[bytes] = []
    for pem in blocks:
        try:
            one = _listed(pem, keys)
        except (ValueError, HikaeError) as error:
            return Lists(fault=str(error) or "there is no revocation list in PEM in it")
        if one is None:
            strange.append(pem)
        elif one.authority not in own or own[one.authority].age < one.age:
            own[one.authority] = one
    return Lists(own, tuple(strange))


def _blocks(path: str) -> list[bytes]:
    with open(path, "rb") as stream:
        return _BLOCK.findall(stream.read())


def _listed(pem: bytes, keys: Mapping[bytes, ec.EllipticCurvePublicKey]) -> Listed | None:
    """A list that one of the authorities signed; None for another authority's. ValueError for what is neither."""
    try:
        crl = x509.load_pem_x509_crl(pem)
    except ValueError as error:
        raise ValueError("there is no revocation list in PEM in it") from error
    for authority, key in keys.items():
        if crl.is_signature_valid(key):
            until = crl.next_update_utc
            return Listed(
                authority,
                _number(crl),
                to_ns(crl.last_update_utc),
                to_ns(until) if until is not None else None,
                frozenset(entry.serial_number for entry in crl),
                pem,
            )
    if _claims_one_of(crl, keys):
        raise ValueError("it is not signed by the authority that it names")
    return None


def _claims_one_of(crl: x509.CertificateRevocationList, keys: Mapping[bytes, ec.EllipticCurvePublicKey]) -> bool:
    """Whether a list says that one of these keys signed it."""
    try:
        named = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, ValueError):
        return False
    return any(named == x509.SubjectKeyIdentifier.from_public_key(key).digest for key in keys.values())


def _keys(authorities: list[x509.Certificate]) -> dict[bytes, ec.EllipticCurvePublicKey]:
    found: dict[bytes, ec.EllipticCurvePublicKey] = {}
    for authority in authorities:
        key = authority.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            found[hashlib.sha256(der).digest()] = key
    return found


def _stamp(path: str) -> _Stamp | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
