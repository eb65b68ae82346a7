"""Why a peer cannot be reached, in words: gRPC says UNAVAILABLE for all of it, so the handshake is tried by hand."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from agent.core.errors import HikaeError, NotPermitted, Unreachable
from agent.rpc.tls import TlsFiles

_SECONDS = 3.0
_EXPIRED, _NOT_YET = 10, 9
_UNKNOWN_CA = (2, 18, 19, 20, 21)
_OTHER_NAME = 62


def why_unreachable(peer: str, address: str, files: TlsFiles, told: str) -> HikaeError:
    """The error for a call to ``peer`` that failed; ``told``: gRPC's own words, kept when the handshake succeeds here.
    Takes a few seconds at most."""
    found = reached(peer, address, files)
    return found or _unreachable(peer, told or "the connection broke", "it is dialled again")


def reached(peer: str, address: str, files: TlsFiles) -> HikaeError | None:
    """Why ``peer`` cannot be spoken with at ``address``; None where it listens there and both certificates are believed. Takes a
    few seconds at most."""
    return _dialled(peer, address, lambda plain: _handshake(peer, address, files, plain))


def reached_plainly(peer: str, address: str) -> HikaeError | None:
    """As :func:`reached`, without certificates: None where something listens."""
    return _dialled(peer, address, lambda _: None)


def _dialled(peer: str, address: str, go_on: Callable[[socket.socket], HikaeError | None]) -> HikaeError | None:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _SECONDS) as plain:
            plain.settimeout(_SECONDS)
            return _answered(peer, address, plain, go_on)
    except ConnectionRefusedError:
        remedy = (
            f"on {peer}: systemctl start hikae; if it runs there: the node that calls {peer} has a wrong address for it"
        )
        return _unreachable(peer, f"nothing listens at {address}", remedy)
    except socket.gaierror:
        return _unreachable(peer, f"the name in {address} cannot be resolved", "correct the address of the peer")
    except TimeoutError:
        return _unreachable(
            peer, f"{address} does not answer", "look at the network and the firewall between the nodes"
        )
    except (OSError, ValueError) as error:
        return _unreachable(peer, f"{address}: {error}", "look at the network between the nodes")


def _answered(
    peer: str, address: str, plain: socket.socket, go_on: Callable[[socket.socket], HikaeError | None]
) -> HikaeError | None:
    """The kernel there took the connection; whether a program does is seen by what it says."""
    try:
        return go_on(plain)
    except TimeoutError:
        reason = f"{address} takes the connection, and its agent says nothing: it hangs, or is overloaded"
        return _unreachable(peer, reason, f"on {peer}: systemctl restart hikae (its watchdog does so by itself)")


def _handshake(peer: str, address: str, files: TlsFiles, plain: socket.socket) -> HikaeError | None:
    try:
        context = ssl.create_default_context(cafile=files.ca)
        context.load_cert_chain(files.cert, files.key)
        context.set_alpn_protocols(["h2"])
        with context.wrap_socket(plain, server_hostname=peer) as secure:
            # Since TLS 1.3 the other side judges our certificate after the handshake has ended for us. A gRPC server
            # that does not believe it closes without an alert; one that does speaks first.
            if not secure.recv(1):
                reason = f"{address} does not accept our certificate: for its clock and CA it has expired or is foreign"
                return _not_permitted(peer, reason, "see hikae pki show on both nodes, and compare their clocks")
    except ssl.SSLCertVerificationError as error:
        return _not_believed(peer, address, error)
    except ssl.SSLError as error:
        return _alert(peer, address, error)
    return None


def _not_believed(peer: str, address: str, error: ssl.SSLCertVerificationError) -> NotPermitted:
    if error.verify_code == _EXPIRED:
        return _not_permitted(peer, f"the certificate of {address} has expired", "renew it there: hikae pki renew")
    if error.verify_code == _NOT_YET:
        return _not_permitted(
            peer, f"the certificate of {address} is not valid yet", "compare the clocks of both nodes"
        )
    if error.verify_code in _UNKNOWN_CA:
        return _not_permitted(
            peer, f"{address} has a certificate of another CA", "issue both from one: hikae pki issue"
        )
    if error.verify_code == _OTHER_NAME:
        reason = f"the certificate of {address} is for another name than {peer!r}"
        return _not_permitted(peer, reason, "correct the name or the address of the peer")
    return _not_permitted(peer, f"the certificate of {address}: {error.verify_message}", "see hikae pki show there")


def _alert(peer: str, address: str, error: ssl.SSLError) -> HikaeError:
    reason = error.reason or str(error)
    if reason == "UNEXPECTED_EOF_WHILE_READING":
        remedy = "see what stands between both, and that it is the agent's own port"
        return _unreachable(peer, f"{address} ends the call before it says who it is", remedy)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return _not_permitted(peer, f"{address} does not speak TLS", "correct the port: it must be the agent's own")
    if "ALERT" in reason:
        words = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return _not_permitted(peer, f"{address} refuses our certificate: {words}", "see hikae pki show on both nodes")
    return _unreachable(peer, f"{address}: {reason}", "see hikae pki show on both nodes")


def _unreachable(peer: str, reason: str, remedy: str) -> Unreachable:
    return Unreachable("reach the peer", peer, reason, remedy)


def _not_permitted(peer: str, reason: str, remedy: str) -> NotPermitted:
    return NotPermitted("reach the peer", peer, reason, remedy)
