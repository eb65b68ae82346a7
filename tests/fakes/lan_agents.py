"""Agents of a fleet on hosts of their own: each runs in the network of the host that has its name."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

from fakes.agents import Fleet
from fakes.private_lan import Lan


def live_on(lan: Lan, fleet: Fleet) -> None:
    """Each agent runs on its host, is found at its address, and answers load balancers there."""
    for agent in fleet.agents:
        text = agent.config.read_text()
        for peer in fleet.agents:
            address = lan.hosts[peer.name][1]
            text = text.replace(f'address = "127.0.0.1:{peer.port}"', f'address = "{address}:{peer.port}"')
        text = text.replace(f'listen = "127.0.0.1:{agent.port}"', f'listen = "0.0.0.0:{agent.port}"')
        agent.config.write_text(text.replace("[tls]", '[health]\nagent_check = "0.0.0.0:7443"\n[tls]', 1))
        agent.program = (*lan.inside(agent.name), *agent.program)


def die(lan: Lan, host: str) -> None:
    """All that runs on a host is killed at once, whoever began it, as when its power is cut; none of it is left."""
    while found := _processes(lan, host):
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _processes(lan: Lan, host: str) -> list[int]:
    """Those in its network that live: what is killed and not yet waited for is left out."""
    words = ("ip", "netns", "pids", lan.hosts[host][0])
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return [int(word) for word in said.split() if _lives(int(word))]


def _lives(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
