"""The certificate authority: a directory on the operator's machine.

::

    D/ca.crt  D/ca.key  D/ca.crl     the authority, and what it has revoked (signed, empty at first)
    D/NAME.crt  D/NAME.key           a node's certificate and key, to be copied to it with ca.crt and ca.crl
    D/issued/SERIAL.crt              every certificate ever issued, so that each can be revoked

Keys are EC P-256, files with keys 0600. A certificate is recorded in ``issued`` before it is handed out. Every command takes the
time as ``now_ns`` (UTC ns), and goes by the machine's clock where none is given.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.config.rules import node_name
from agent.core.clock import SystemClock
from agent.core.errors import ConfigError, NotFound, Refused, UsageError
from agent.fs.durable import sync_dir, write_durably
from agent.pki.certificate import (
    common_name,
    from_ns,
    hosts_of,
    issuer_of,
    parse_certificate,
    read_file,
    serial_text,
    to_ns,
)
from agent.pki.identity import NEXT_KEY

CA_DAYS = 3650
NODE_DAYS = 365
#: Where the authority is looked for.
DEFAULT_DIR = "/etc/hikae/pki"
#: Certificates begin a little before they are made, for nodes whose clocks are late.
_CLOCK_MARGIN = timedelta(hours=1)
_SECOND = 1_000_000_000
_HOST = re.compile(r"(?=.{1,253}$)(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """A certificate as ``pki show`` tells of it. ``serial`` is hexadecimal, times are UTC ns, ``days_left`` is below zero once it
    has expired; ``issuer_ok`` says that this authority signed it."""

    name: str
    path: str
    serial: str
    hosts: tuple[str, ...]
    not_before: int
    not_after: int
    days_left: int
    revoked: bool
    issuer_ok: bool


def init(directory: str, now_ns: int | None = None) -> CertificateInfo:
    """Make an authority for ten years. Raises Refused when the directory has one."""
    now_ns = SystemClock().now_ns() if now_ns is None else now_ns
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with _locked(directory):
        for path in (_path(directory, "ca.key"), _path(directory, "ca.crt")):
            if os.path.lexists(path):
                remedy = "use it, or choose another directory"
                raise Refused("make an authority", directory, f"{path} is there already", remedy)
        key, now = ec.generate_private_key(ec.SECP256R1()), from_ns(now_ns)
        certificate = _authority_certificate(key, now)
        write_durably(_path(directory, "ca.key"), _key_pem(key))
        write_durably(_path(directory, "ca.crt"), _pem(certificate), 0o644)
        _write_crl(directory, certificate, key, [], now)
        return _info(_path(directory, "ca.crt"), [certificate], frozenset(), now_ns)


def issue(
    name: str, directory: str, hosts: Sequence[str] = (), days: int = NODE_DAYS, *, now_ns: int | None = None
) -> CertificateInfo:
    """Make a key and certificate for a node, good for its name and ``hosts`` (DNS names or IP addresses).

    Raises Refused when the node has a certificate that is not revoked; NotFound when there is no authority.
    """
    now_ns = SystemClock().now_ns() if now_ns is None else now_ns
    _check_request(name, hosts, days)
    with _locked(directory):
        path = _path(directory, f"{name}.crt")
        if _is_there(path) and not _is_revoked(directory, path):
            remedy = f"type: {_typed(f'renew {name}', directory)}, or revoke it first"
            raise Refused("issue a certificate", name, f"{path} is there already", remedy)
        return _issue(name, directory, hosts, days, now_ns)


def renew(name: str, directory: str, days: int = NODE_DAYS, *, now_ns: int | None = None) -> CertificateInfo:
    """Make a new key and certificate for the same names. Whoever reads the two files at any moment gets a pair that
    belongs together (see :func:`agent.pki.identity.load_identity`); the old certificate stays good until it expires."""
    now_ns = SystemClock().now_ns() if now_ns is None else now_ns
    _check_request(name, (), days)
    with _locked(directory):
        path = _path(directory, f"{name}.crt")
        if not _is_there(path):
            remedy = f"type: {_typed(f'issue {name}', directory)}"
            raise NotFound("renew the certificate", name, f"there is no {path}", remedy)
        old = parse_certificate(_read(path, "certificate", ""), path)
        hosts = [host for host in hosts_of(old) if host != name]
        return _issue(name, directory, hosts, days, now_ns)


def revoke(name_or_serial: str, directory: str, *, now_ns: int | None = None) -> list[CertificateInfo]:
    """Put a certificate (by serial), or every certificate that a node ever had (by name), on the list of revoked ones, and give
    them back. Nodes refuse them once they have the new ``ca.crl``. Raises NotFound."""
    with _locked(directory):
        now_ns = _in_another_second(directory) if now_ns is None else now_ns
        certificate, key = _authority(directory)
        found = {
            path: serial
            for path, each in _issued(directory)
            if name_or_serial.lower() in (common_name(each), serial := serial_text(each.serial_number))
        }
        if not found:
            remedy = f"see: {_typed('show', directory)}"
            raise NotFound("revoke", name_or_serial, "no certificate of that name or serial was issued here", remedy)
        entries = list(_revoked_entries(directory))
        known = {entry.serial_number for entry in entries}
        now = from_ns(now_ns)
        entries += [_revoked(int(serial, 16), now) for serial in found.values() if int(serial, 16) not in known]
        _write_crl(directory, certificate, key, entries, now)
        serials = frozenset(entry.serial_number for entry in entries)
        return [_info(path, [certificate], serials, now_ns) for path in found]


def show(directory: str, *, now_ns: int | None = None) -> list[CertificateInfo]:
    """The authority first, then every node's certificate that is in the directory, then older ones that still would be
    accepted."""
    now_ns = SystemClock().now_ns() if now_ns is None else now_ns
    ca_path = _path(directory, "ca.crt")
    remedy = f"make one with: {_typed('init', directory)}"
    ca = parse_certificate(_read(ca_path, "certificate of the authority", remedy), ca_path)
    revoked = frozenset(entry.serial_number for entry in _revoked_entries(directory))
    names = sorted(name for name in os.listdir(directory) if name.endswith(".crt") and name != "ca.crt")
    current = [_info(_path(directory, name), [ca], revoked, now_ns) for name in names]
    serials = {info.serial for info in current}
    older = [_info(path, [ca], revoked, now_ns) for path, _ in _issued(directory)]
    alive = [info for info in older if info.serial not in serials and not info.revoked and info.not_after > now_ns]
    return [
        _info(ca_path, [ca], revoked, now_ns),
        *current,
        *sorted(alive, key=lambda info: (info.name, info.not_after)),
    ]


def _typed(command: str, directory: str) -> str:
    """A command for this very directory."""
    at = "" if os.path.normpath(directory) == DEFAULT_DIR else f" --dir {directory}"
    return f"hikae pki {command}{at}"


def _is_there(path: str) -> bool:
    """Raises ``PermissionError`` where that may not be known."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _read(path: str, what: str, remedy: str) -> bytes:
    """As ``read_file``; what may not be read is no reason to make another: ``PermissionError``."""
    try:
        return read_file(path, what, remedy)
    except ConfigError as error:
        if isinstance(error.__cause__, PermissionError):
            raise error.__cause__ from None
        raise


def _path(directory: str, name: str) -> str:
    return os.path.join(directory, name)


@contextmanager
def _locked(directory: str) -> Iterator[None]:
    """One command at a time in a directory."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError as error:
        remedy = f"make an authority with: {_typed('init', directory)}"
        raise NotFound("use the authority", directory, error.strerror or "no such directory", remedy) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _check_request(name: str, hosts: Sequence[str], days: int) -> None:
    try:
        node_name(name)
    except ValueError as error:
        raise UsageError("issue a certificate", name, str(error)) from error
    if name == "ca":
        raise UsageError("issue a certificate", name, "the authority's own files are named so", "choose another name")
    if not 1 <= days <= CA_DAYS:
        raise UsageError("issue a certificate", name, f"{days} days are not between 1 and {CA_DAYS}")
    for host in hosts:
        _general_name(host)


def _authority(directory: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority's certificate and key."""
    path, key_path = _path(directory, "ca.crt"), _path(directory, "ca.key")
    for each in (path, key_path):
        if not _is_there(each):
            remedy = f"go to the machine that holds the CA key, or make an authority with: {_typed('init', directory)}"
            raise NotFound("use the authority", directory, f"there is no {each}", remedy)
    certificate = parse_certificate(_read(path, "certificate of the authority", ""), path)
    key = serialization.load_pem_private_key(_read(key_path, "key of the authority", ""), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise Refused(
            "use the authority", directory, "ca.key does not belong to ca.crt", "bring both back from a backup"
        )
    return certificate, key


def _issue(name: str, directory: str, hosts: Sequence[str], days: int, now_ns: int) -> CertificateInfo:
    authority, authority_key = _authority(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _node_certificate(name, hosts, days, key, authority, authority_key, from_ns(now_ns))
    os.makedirs(_path(directory, "issued"), mode=0o700, exist_ok=True)
    serial = serial_text(certificate.serial_number)
    write_durably(_path(directory, f"issued/{serial}.crt"), _pem(certificate), 0o644)
    path, key_path = _path(directory, f"{name}.crt"), _path(directory, f"{name}.key")
    _finish_renewal(path, key_path)
    write_durably(key_path + NEXT_KEY, _key_pem(key))
    write_durably(path, _pem(certificate), 0o644)
    os.rename(key_path + NEXT_KEY, key_path)
    sync_dir(directory)
    return _info(path, [authority], frozenset(), now_ns)


def _finish_renewal(path: str, key_path: str) -> None:
    """A renewal that was cut off after the certificate: its key is still beside, and must not be written over."""
    if not (os.path.exists(path) and os.path.exists(key_path + NEXT_KEY)):
        return
    certificate = parse_certificate(read_file(path, "certificate", ""), path)
    key = serialization.load_pem_private_key(_read(key_path + NEXT_KEY, "private key", ""), None)
    if key.public_key() == certificate.public_key():
        os.rename(key_path + NEXT_KEY, key_path)
        sync_dir(os.path.dirname(path))


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _authority_certificate(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    usage = _usage(signs_certificates=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(_subject("hikae authority"))
        .issuer_name(_subject("hikae authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_MARGIN)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )


def _node_certificate(
    name: str,
    hosts: Sequence[str],
    days: int,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    names = x509.SubjectAlternativeName([_general_name(host) for host in dict.fromkeys([name, *hosts])])
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - _CLOCK_MARGIN, authority.not_valid_before_utc))
        .not_valid_after(min(now + timedelta(days=days), authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(uses, critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_identifier(authority), critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _authority_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host):
            remedy = "write a DNS name or an IP address"
            raise UsageError("issue a certificate", host, "it is no name of a host", remedy) from None
        return x509.DNSName(host)


def _pem(value: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return value.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _issued(directory: str) -> Iterator[tuple[str, x509.Certificate]]:
    folder = _path(directory, "issued")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for path in (_path(folder, name) for name in names if name.endswith(".crt")):
        yield path, parse_certificate(read_file(path, "certificate", ""), path)


def _read_crl(directory: str) -> x509.CertificateRevocationList | None:
    path = _path(directory, "ca.crl")
    if not os.path.exists(path):
        return None
    return x509.load_pem_x509_crl(read_file(path, "revocation list", ""))


def _revoked_entries(directory: str) -> Sequence[x509.RevokedCertificate]:
    crl = _read_crl(directory)
    return [] if crl is None else list(crl)


def _is_revoked(directory: str, path: str) -> bool:
    serial = parse_certificate(read_file(path, "certificate", ""), path).serial_number
    return any(entry.serial_number == serial for entry in _revoked_entries(directory))


def _in_another_second(directory: str) -> int:
    """Now (UTC ns), once it is not the second of the list that stands. Of two lists with one date OpenSSL goes by the first, and
    one that is dated later than now is not valid yet."""
    clock, crl = SystemClock(), _read_crl(directory)
    made = None if crl is None else to_ns(crl.last_update_utc)
    while made is not None and made <= (now := clock.now_ns()) < made + _SECOND:
        time.sleep((made + _SECOND - now) / _SECOND)
    return clock.now_ns()


def _revoked(serial: int, now: datetime) -> x509.RevokedCertificate:
    return x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()


def _write_crl(
    directory: str,
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    entries: Sequence[x509.RevokedCertificate],
    now: datetime,
) -> None:
    """Sign the list with the next number. It stands until it is replaced: nodes go by the number, not by dates."""
    old = _read_crl(directory)
    number = 0 if old is None else old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now)
        .next_update(max(authority.not_valid_after_utc, now + timedelta(days=1)))
        .add_extension(x509.CRLNumber(number + 1), critical=False)
        .add_extension(_authority_identifier(authority), critical=False)
    )
    for entry in entries:
        builder = builder.add_revoked_certificate(entry)
    write_durably(_path(directory, "ca.crl"), _pem(builder.sign(key, hashes.SHA256())), 0o644)


def _info(path: str, authorities: list[x509.Certificate], revoked: frozenset[int], now_ns: int) -> CertificateInfo:
    certificate = parse_certificate(read_file(path, "certificate", ""), path)
    end = to_ns(certificate.not_valid_after_utc)
    return CertificateInfo(
        name=common_name(certificate),
        path=path,
        serial=serial_text(certificate.serial_number),
        hosts=hosts_of(certificate),
        not_before=to_ns(certificate.not_valid_before_utc),
        not_after=end,
        days_left=(end - now_ns) // (86_400 * 10**9),
        revoked=certificate.serial_number in revoked,
        issuer_ok=issuer_of(certificate, authorities) is not None,
    )
