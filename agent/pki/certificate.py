"""One certificate: read, and judged against the authority, the clock and a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.config.units import shown_value
from agent.core.errors import ConfigError, NotPermitted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class IdentityError(NotPermitted):
    """A certificate, key or revocation list is not accepted.

    ``code`` is a stable word: certificate-unreadable, certificate-expired, certificate-not-yet-valid, certificate-wrong-ca,
    certificate-wrong-name, certificate-wrong-use, certificate-revoked, key-mismatch, proof-wrong, crl-not-believed.
    """

    def __init__(self, code: str, operation: str, subject: str, reason: str, remedy: str = "") -> None:
        super().__init__(operation, subject, reason, remedy)
        self.code = code


def to_ns(moment: datetime) -> int:
    """A moment as UTC ns since 1970."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def from_ns(ns: int) -> datetime:
    """UTC ns since 1970 as a moment, to the second."""
    return _EPOCH + timedelta(seconds=ns // 1_000_000_000)


def day(moment: datetime) -> str:
    """A moment as operators read it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def serial_text(serial: int) -> str:
    """A serial number as it is shown and typed: hexadecimal."""
    return f"{serial:x}"


def common_name(certificate: x509.Certificate) -> str:
    """The certificate's common name, or an empty text."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Every DNS name and IP address that the certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))


def read_file(path: str, what: str, remedy: str) -> bytes:
    """The bytes of a file that the configuration names; raises ConfigError."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        reason = f"{path}: {error.strerror or 'it cannot be read'}"
        raise ConfigError(f"read the {what}", path, reason, remedy) from error


def parse_certificates(pem: bytes, subject: str) -> list[x509.Certificate]:
    """Every certificate of a PEM text; raises IdentityError when there is none."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        reason = "there is no certificate in PEM in it"
        raise IdentityError("certificate-unreadable", "read the certificate", subject, reason) from error


def parse_certificate(pem: bytes, subject: str) -> x509.Certificate:
    """The first certificate of a PEM text."""
    return parse_certificates(pem, subject)[0]


def expires(path: str) -> int:
    """When the certificate in a file ends, UTC ns. Raises ConfigError or IdentityError when it cannot be read."""
    return to_ns(parse_certificate(read_file(path, "certificate", ""), path).not_valid_after_utc)


def issuer_of(certificate: x509.Certificate, authorities: list[x509.Certificate]) -> x509.Certificate | None:
    """The authority that signed a certificate, if it is one of these."""
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        if _may_sign(authority):
            return authority
    return None


def _may_sign(authority: x509.Certificate) -> bool:
    try:
        return authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def verify_certificate(
    certificate: x509.Certificate, authorities: list[x509.Certificate], expected_name: str | None, now_ns: int
) -> str:
    """The name that a certificate speaks for, when it is of one of the authorities, in its dates, for nodes, and (if a name is
    expected) for that name. Raises IdentityError. Whether it is revoked is asked of the RevocationList."""
    name = common_name(certificate)
    check = _Check(shown_value(expected_name or name))
    authority = issuer_of(certificate, authorities)
    if authority is None:
        raise check.failed(
            "certificate-wrong-ca",
            "it is not of the configured authority",
            "issue it with the authority that all nodes have, or give all nodes the same ca.crt",
        )
    check.dates(
        authority, "its authority's certificate", now_ns, "make a new authority and issue all certificates anew"
    )
    check.dates(certificate, "it", now_ns, f"type where the CA key is: hikae pki renew {name}, and copy both files")
    check.use(certificate)
    if expected_name is not None and (name != expected_name or expected_name not in hosts_of(certificate)):
        raise check.failed(
            "certificate-wrong-name",
            f"it is for {shown_value(name)}",
            f"use the certificate of {expected_name}, or correct the name in the configuration",
        )
    return name


class _Check:
    """Findings about the certificate of one name."""

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def failed(self, code: str, reason: str, remedy: str) -> IdentityError:
        return IdentityError(code, "accept the certificate", self._subject, reason, remedy)

    def dates(self, certificate: x509.Certificate, what: str, now_ns: int, remedy: str) -> None:
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if now_ns >= to_ns(end):
            raise self.failed("certificate-expired", f"{what} expired on {day(end)}", remedy)
        if now_ns < to_ns(start):
            reason = f"{what} is not valid before {day(start)}"
            raise self.failed("certificate-not-yet-valid", reason, "set this machine's clock, or issue it anew")

    def use(self, certificate: x509.Certificate) -> None:
        wanted = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
        try:
            uses = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        except x509.ExtensionNotFound:
            uses = set()
        if not wanted <= uses:
            remedy = "issue it with: hikae pki issue"
            raise self.failed("certificate-wrong-use", "it is not for a node (server and client)", remedy)
