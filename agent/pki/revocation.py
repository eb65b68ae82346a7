"""The authority's list of revoked certificates (a CRL, RFC 5280) as a node has it beside ``ca.crt``."""

from __future__ import annotations

import os
import threading

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent.pki.certificate import IdentityError, parse_certificates, read_file

_Stamp = tuple[int, int, int]


class RevocationList:
    """Serials that are revoked, read again whenever the file changes. Thread-safe.

    A file that is absent from the start revokes nothing; one that vanishes later leaves in force what was read last. A list
    that the authority did not sign, or that is older than the one read before, is refused: nobody is accepted until it
    is put right.
    """

    def __init__(self, path: str, ca_path: str) -> None:
        self._path = path
        self._ca_path = ca_path
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._number = -1
        self._serials: frozenset[int] = frozenset()

    def is_revoked(self, serial: int) -> bool:
        """Whether a certificate's serial is on the list. Raises IdentityError (crl-not-believed)."""
        with self._lock:
            self._reload()
            return serial in self._serials

    def refuse_revoked(self, certificate: x509.Certificate, subject: str) -> None:
        """Raise IdentityError (certificate-revoked) when a certificate is on the list."""
        if self.is_revoked(certificate.serial_number):
            remedy = f"issue a new one with: hikae pki issue {subject}"
            raise IdentityError(
                "certificate-revoked", "accept the certificate", f'"{subject}"', "it is revoked", remedy
            )

    def _reload(self) -> None:
        stamp = _stamp(self._path)
        if stamp is None or stamp == self._stamp:
            return
        crl = self._believed(read_file(self._path, "revocation list", "copy ca.crl from where the CA key is"))
        number = _number(crl)
        if number < self._number:
            raise self._refused("it is older than the one before")
        self._serials = frozenset(entry.serial_number for entry in crl)
        self._number, self._stamp = number, stamp

    def _believed(self, pem: bytes) -> x509.CertificateRevocationList:
        try:
            crl = x509.load_pem_x509_crl(pem)
        except ValueError as error:
            raise self._refused("there is no revocation list in PEM in it") from error
        ca_pem = read_file(self._ca_path, "certificate of the authority", "")
        for authority in parse_certificates(ca_pem, self._ca_path):
            key = authority.public_key()
            if isinstance(key, ec.EllipticCurvePublicKey) and crl.is_signature_valid(key):
                return crl
        raise self._refused("it is not signed by the authority")

    def _refused(self, reason: str) -> IdentityError:
        remedy = "copy ca.crl anew from where the CA key is"
        return IdentityError("crl-not-believed", "use the revocation list", self._path, reason, remedy)


def _stamp(path: str) -> _Stamp | None:
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
