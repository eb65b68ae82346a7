"""The authority's directory: what stands in it after each command, and who accepts the certificates."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from agent import pki
from agent.core.errors import NotFound, Refused, UsageError
from agent.pki.certificate import from_ns, parse_certificate

DAY = 86_400 * 10**9
NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture
def authority(tmp_path: Path) -> str:
    """A directory with an authority."""
    directory = str(tmp_path / "pki")
    pki.init(directory, NOW)
    return directory


def _certificate(directory: str, name: str) -> x509.Certificate:
    return parse_certificate(Path(directory, f"{name}.crt").read_bytes(), name)


def test_files_and_modes(authority: str) -> None:
    """Keys are for the owner alone; certificates and the list of revoked ones may be copied by anyone."""
    pki.issue("alpha", authority, now_ns=NOW)
    files = sorted(path for path in Path(authority).rglob("*") if path.is_file())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files if path.parent.name != "issued"}
    assert {"alpha.crt": 0o644, "alpha.key": 0o600, "ca.crl": 0o644, "ca.crt": 0o644, "ca.key": 0o600} == modes
    assert 0o700 == stat.S_IMODE(Path(authority).stat().st_mode)
    assert 1 == len(list(Path(authority, "issued").iterdir()))


def test_lifetimes_and_names(authority: str) -> None:
    """The authority lives ten years, a node's certificate one; it is for the node's name and its hosts."""
    info = pki.issue("alpha", authority, ["alpha.example", "192.0.2.1", "2001:db8::1", "alpha"], now_ns=NOW)
    assert ("alpha", ("alpha", "alpha.example", "192.0.2.1", "2001:db8::1")) == (info.name, info.hosts)
    assert (365, NOW + 365 * DAY, False, True) == (info.days_left, info.not_after, info.revoked, info.issuer_ok)
    assert ["hikae authority", "alpha"] == [each.name for each in pki.show(authority, now_ns=NOW)]
    assert 3650 == pki.show(authority, now_ns=NOW)[0].days_left


def test_a_node_never_outlives_its_authority(authority: str) -> None:
    """A certificate that is issued late ends with the authority."""
    info = pki.issue("alpha", authority, now_ns=NOW + 3600 * DAY)
    assert NOW + 3650 * DAY == info.not_after


def test_authority_signs_only_nodes(authority: str) -> None:
    """The authority may sign certificates and lists and no further authorities; nodes may sign nothing."""
    pki.issue("alpha", authority, now_ns=NOW)
    ca, node = _certificate(authority, "ca"), _certificate(authority, "alpha")
    constraints = [each.extensions.get_extension_for_class(x509.BasicConstraints) for each in (ca, node)]
    assert [(True, True, 0), (True, False, None)] == [
        (c.critical, c.value.ca, c.value.path_length) for c in constraints
    ]
    usages = [each.extensions.get_extension_for_class(x509.KeyUsage).value for each in (ca, node)]
    assert [(True, True, False), (False, False, True)] == [
        (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) for usage in usages
    ]
    uses = node.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} == set(uses)


def test_others_accept_the_chain(authority: str) -> None:
    """A strict verifier that is not ours accepts the certificate, as a server and as a client."""
    pki.issue("alpha", authority, now_ns=NOW)
    builder = PolicyBuilder().store(Store([_certificate(authority, "ca")])).time(from_ns(NOW))
    node = _certificate(authority, "alpha")
    assert 2 == len(builder.build_server_verifier(x509.DNSName("alpha")).verify(node, []))
    assert 2 == len(builder.build_client_verifier().verify(node, []).chain)


def test_mutual_tls(tmp_path: Path) -> None:
    """OpenSSL shakes hands with these files on both sides, under the node's name."""
    directory, now = str(tmp_path / "pki"), int(datetime.now(UTC).timestamp()) * 10**9
    pki.init(directory, now)
    contexts = []
    for name, protocol in (("alpha", ssl.PROTOCOL_TLS_CLIENT), ("beta", ssl.PROTOCOL_TLS_SERVER)):
        pki.issue(name, directory, now_ns=now)
        context = ssl.SSLContext(protocol)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{directory}/ca.crt")
        context.load_cert_chain(f"{directory}/{name}.crt", f"{directory}/{name}.key")
        contexts.append(context)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = contexts[0].wrap_bio(down, up, server_hostname="beta")
    server = contexts[1].wrap_bio(up, down, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ((("commonName", "alpha"),),) == (server.getpeercert() or {})["subject"]
    assert ((("commonName", "beta"),),) == (client.getpeercert() or {})["subject"]


def test_nothing_is_overwritten(authority: str) -> None:
    """A second authority, and a second certificate for a node, are refused with what to do."""
    pki.issue("alpha", authority, now_ns=NOW)
    before = {path: path.read_bytes() for path in Path(authority).iterdir() if path.is_file()}
    with pytest.raises(Refused, match=r"ca\.key is there already"):
        pki.init(authority, NOW)
    with pytest.raises(
        Refused, match=r"alpha\.crt is there already; type: hikae pki renew alpha --dir \S+, or revoke it first"
    ):
        pki.issue("alpha", authority, now_ns=NOW)
    assert before == {path: path.read_bytes() for path in Path(authority).iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("name", "hosts", "days"),
    [
        ("Alpha", [], 1),
        ("../alpha", [], 1),
        ("", [], 1),
        ("ca", [], 1),
        ("a", ["a b"], 1),
        ("a", [""], 1),
        ("a", [], 0),
    ],
)
def test_wrong_requests(authority: str, name: str, hosts: list[str], days: int) -> None:
    """Names and hosts that cannot stand in a certificate, and lifetimes out of range, are refused."""
    with pytest.raises(UsageError):
        pki.issue(name, authority, hosts, days, now_ns=NOW)


def test_no_authority(tmp_path: Path) -> None:
    """Where there is no authority, the commands say so."""
    with pytest.raises(NotFound, match="hikae pki init"):
        pki.issue("alpha", str(tmp_path), now_ns=NOW)
    with pytest.raises(NotFound, match="hikae pki init"):
        pki.issue("alpha", str(tmp_path / "absent"), now_ns=NOW)


def test_foreign_certificate_is_shown_as_such(authority: str, tmp_path: Path) -> None:
    """A certificate of another authority that lies in the directory is marked."""
    other = str(tmp_path / "other")
    pki.init(other, NOW)
    pki.issue("beta", other, now_ns=NOW)
    Path(authority, "beta.crt").write_bytes(Path(other, "beta.crt").read_bytes())
    assert [True, False] == [each.issuer_ok for each in pki.show(authority, now_ns=NOW)]


def test_renew_keeps_names(authority: str) -> None:
    """A renewal has a new key, serial and date, the same names, and leaves the old one to be seen and revoked."""
    first = pki.issue("alpha", authority, ["192.0.2.1"], now_ns=NOW)
    key = Path(authority, "alpha.key").read_bytes()
    second = pki.renew("alpha", authority, now_ns=NOW + 300 * DAY)
    assert (first.hosts, NOW + 665 * DAY) == (second.hosts, second.not_after)
    assert key != Path(authority, "alpha.key").read_bytes()
    shown = pki.show(authority, now_ns=NOW + 300 * DAY)
    assert ["hikae authority", "alpha", "alpha"] == [each.name for each in shown]
    assert [second.serial, first.serial] == [each.serial for each in shown[1:]]
    assert 2 == len(pki.show(authority, now_ns=NOW + 366 * DAY))
    with pytest.raises(NotFound, match="hikae pki issue beta"):
        pki.renew("beta", authority, now_ns=NOW)


def test_revoke_by_serial_and_by_name(authority: str) -> None:
    """A serial takes one certificate back, a name all that the node ever had; then it may have a new one."""
    first = pki.issue("alpha", authority, now_ns=NOW)
    pki.issue("beta", authority, now_ns=NOW)
    second = pki.renew("alpha", authority, now_ns=NOW)
    assert [first.serial] == [each.serial for each in pki.revoke(first.serial.upper(), authority, now_ns=NOW)]
    listed = pki.RevocationList(f"{authority}/ca.crl", f"{authority}/ca.crt")
    assert [True, False] == [listed.is_revoked(int(each.serial, 16)) for each in (first, second)]
    both = pki.revoke("alpha", authority, now_ns=NOW)
    assert {(first.serial, True), (second.serial, True)} == {(each.serial, each.revoked) for each in both}
    assert [False, True, False] == [each.revoked for each in pki.show(authority, now_ns=NOW)]
    third = pki.issue("alpha", authority, now_ns=NOW)
    assert not listed.is_revoked(int(third.serial, 16))
    with pytest.raises(NotFound):
        pki.revoke("gamma", authority, now_ns=NOW)
