"""Will peers believe this node, for how long, and does the authority's key lie where it must not?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent.config.mistakes import ConfigMistakes
from agent.config.values import Settings
from agent.core.errors import HikaeError
from agent.doctor.diagnosis import Condition, Diagnosis, good
from agent.pki.certificate import day, expires, from_ns, parse_certificates
from agent.pki.revocation import RevocationList
from agent.pki.startable import check_startable, kept_list

_DAY_NS = 86_400 * 10**9
#: As ``status`` warns of a node's certificate; of the authority's, whose end takes new certificates for all nodes, sooner.
WARN_DAYS, WARN_AUTHORITY_DAYS = 30, 180
#: No key is longer.
_KEY_MOST = 64 << 10
_KEY_ENDINGS = (".key", ".pem")
#: What ``pki init`` calls it.
_CA_KEY = "ca.key"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """``mistakes``: for what peers do not believe this node; ``warnings``: of the list of revoked ones; moments in UTC ns, None
    where they are not known; ``authority_keys``: files with the authority's private key; ``unreadable``: what this user may not
    read."""

    node: str
    now: int
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    until: int | None = None
    authority_until: int | None = None
    list_until: int | None = None
    authority_keys: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = field(default=())


def look_at_certificates(settings: Settings, now: int) -> CertificateFacts:
    """Read what the agent reads, and look beside it for the authority's key. ``now``: UTC ns."""
    tls, node = settings.tls, settings.node.name
    unreadable = tuple(path for path in (tls.ca, tls.cert, tls.key) if _is_denied(path))
    keys = tuple(_authority_keys(settings))
    if unreadable:
        return CertificateFacts(node, now, authority_keys=keys, unreadable=unreadable)
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    try:
        warnings = check_startable(settings, now)
    except ConfigMistakes as error:
        mistakes = tuple(str(one) for one in error.mistakes if one.key.startswith("tls."))
    until, authority, listed = _end(tls.cert), _end(tls.ca), _list_end(settings)
    return CertificateFacts(node, now, mistakes, warnings, until, authority, listed, keys)


def judge_certificates(facts: CertificateFacts) -> Iterator[Diagnosis]:
    """How the node's certificate, the authority's and its list are. Pure."""
    if facts.unreadable:
        message = f"only root may read {', '.join(facts.unreadable)}: certificate and key were not looked at"
        yield Diagnosis("certificate", Condition.UNKNOWN, message, "sudo hikae doctor")
    for mistake in facts.mistakes:
        yield Diagnosis("certificate", Condition.ERROR, mistake, "hikae pki show says what each certificate is")
    for warning in facts.warnings:
        yield Diagnosis("revoked-list", Condition.WARNING, warning)
    if facts.until is not None and not facts.mistakes:
        yield _node_end(facts, facts.until)
    if facts.authority_until is not None:
        yield _authority_end(facts, facts.authority_until)
    if facts.list_until is not None:
        yield _of_list(facts, facts.list_until)
    for path in facts.authority_keys:
        message = f"{path} is the authority's private key: whoever breaks in here can be any node, and promote himself"
        remedy = f"move it to a machine that runs no agent, and: shred -u {path}"
        yield Diagnosis("ca-key", Condition.WARNING, message, remedy)
    if not facts.authority_keys and not facts.unreadable:
        yield good("ca-key", "the authority's private key does not lie here")


def _node_end(facts: CertificateFacts, until: int) -> Diagnosis:
    days = (until - facts.now) // _DAY_NS
    message = f"the certificate of {facts.node} is good until {day(from_ns(until))}"
    if days >= WARN_DAYS:
        return good("certificate", message)
    remedy = (
        f"where the authority's key is: hikae pki renew {facts.node} --dir DIR, and copy both files over the old ones"
    )
    return Diagnosis("certificate", Condition.WARNING, f"{message}, {days} days from now", remedy)


def _authority_end(facts: CertificateFacts, until: int) -> Diagnosis:
    days = (until - facts.now) // _DAY_NS
    message = f"the authority's certificate is good until {day(from_ns(until))}"
    if days >= WARN_AUTHORITY_DAYS:
        return good("authority", message)
    remedy = "make a new authority, and issue the certificates of all nodes anew: hikae pki init, hikae pki issue"
    condition = Condition.WARNING if days >= 0 else Condition.ERROR
    return Diagnosis("authority", condition, f"{message}: then no node believes another", remedy)


def _of_list(facts: CertificateFacts, until: int) -> Diagnosis:
    message = f"the list of revoked certificates is to be replaced by {day(from_ns(until))}"
    if (until - facts.now) // _DAY_NS >= WARN_DAYS:
        return good("revoked-list", message)
    remedy = "copy ca.crl anew from where the authority's key is, after: hikae pki show --dir DIR"
    return Diagnosis("revoked-list", Condition.WARNING, message, remedy)


def _is_denied(path: str) -> bool:
    try:
        with open(path, "rb"):
            return False
    except PermissionError:
        return True
    except OSError:
        return False


def _end(path: str) -> int | None:
    try:
        return expires(path)
    except HikaeError:
        return None


def _list_end(settings: Settings) -> int | None:
    tls = settings.tls
    try:
        return RevocationList(tls.crl, tls.ca, kept_list(settings), keeps=False).until()
    except HikaeError:
        return None


def _authority_keys(settings: Settings) -> Iterator[str]:
    """Files beside the certificates whose private key is the authority's, whatever they are called; one that is called as
    ``pki init`` does counts unread."""
    tls = settings.tls
    try:
        with open(tls.ca, "rb") as file:
            authorities = parse_certificates(file.read(), tls.ca)
    except (OSError, HikaeError):
        authorities = []
    for place in sorted({os.path.dirname(os.path.abspath(path)) for path in (tls.ca, tls.cert, tls.key)}):
        for path in _keys_in(place):
            if os.path.basename(path) == _CA_KEY or _is_key_of(path, authorities):
                yield path


def _keys_in(place: str) -> list[str]:
    try:
        return sorted(entry.path for entry in os.scandir(place) if entry.name.endswith(_KEY_ENDINGS))
    except OSError:
        return []


def _is_key_of(path: str, authorities: Sequence[x509.Certificate]) -> bool:
    try:
        with open(path, "rb") as file:
            public = serialization.load_pem_private_key(file.read(_KEY_MOST), None).public_key()
    except (OSError, ValueError, TypeError):
        return False
    return any(authority.public_key() == public for authority in authorities)
