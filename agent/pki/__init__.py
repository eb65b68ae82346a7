"""An own certificate authority, and who a certificate says somebody is.

::

    authority   the directory with the CA's key: init, issue, renew, revoke, show (the operator's machine)
    certificate one certificate read and judged: chain, dates, name
    revocation  the CA's list of revoked serials, read again when its file changes
    identity    what a node shows to others, and the proof that it holds the key
"""

from __future__ import annotations

from agent.pki.authority import CertificateInfo, init, issue, renew, revoke, show
from agent.pki.certificate import IdentityError, expires, verify_certificate
from agent.pki.identity import NodeIdentity, load_identity, sign_proof, still_good, verify_proof
from agent.pki.revocation import Finding, RevocationList

__all__ = [
    "CertificateInfo",
    "Finding",
    "IdentityError",
    "NodeIdentity",
    "RevocationList",
    "expires",
    "init",
    "issue",
    "load_identity",
    "renew",
    "revoke",
    "show",
    "sign_proof",
    "still_good",
    "verify_certificate",
    "verify_proof",
]
