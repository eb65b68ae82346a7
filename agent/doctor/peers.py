"""Can each peer be reached from here? Whoever is the primary dials, and that may be this node tomorrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.config.values import Settings
from agent.core.errors import HikaeError
from agent.doctor.diagnosis import Condition, Diagnosis, good
from agent.pki.startable import kept_list
from agent.rpc.probe import reached, reached_plainly
from agent.rpc.tls import TlsFiles


@dataclass(frozen=True, slots=True)
class PeerFound:
    """``fault``: why it is not reached, and ``remedy`` what leads on, both "" where it is; ``believed``: whether certificates
    were shown, else only the port was tried."""

    name: str
    address: str
    believed: bool
    fault: str = ""
    remedy: str = ""


def look_at_peers(settings: Settings, *, believed: bool) -> tuple[PeerFound, ...]:
    """Dial each; with certificates where this user may read them (``believed``). Some seconds for each that does not answer."""
    return tuple(_dialled(settings, one.name, one.address, believed=believed) for one in settings.peers)


def judge_peers(peers: Sequence[PeerFound]) -> Iterator[Diagnosis]:
    """Whether each is reached. Pure."""
    for peer in peers:
        if peer.fault:
            yield Diagnosis("peer", Condition.ERROR, f"{peer.name}: {peer.fault}", peer.remedy)
        elif peer.believed:
            yield good("peer", f"{peer.name} answers at {peer.address}, and both believe each other")
        else:
            message = f"{peer.name} listens at {peer.address}; whether both believe each other is seen by root alone"
            yield Diagnosis("peer", Condition.UNKNOWN, message, "sudo hikae doctor")


def _dialled(settings: Settings, name: str, address: str, *, believed: bool) -> PeerFound:
    tls = settings.tls
    files = TlsFiles(tls.ca, tls.cert, tls.key, tls.crl, kept_list(settings))
    fault: HikaeError | None = reached(name, address, files) if believed else reached_plainly(name, address)
    if fault is None:
        return PeerFound(name, address, believed)
    return PeerFound(name, address, believed, fault.reason, fault.remedy)
