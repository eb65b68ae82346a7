"""Two hosts in network namespaces with a slow wire between them: the rate by the kernel's token bucket, the delay by a relay."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually
from fakes.loop_image import run

RELAY = Path(__file__).with_name("relay.py")
_HERE, _THERE = "10.99.0.1", "10.99.0.2"
#: What the kernel lets wait before the slow wire, in ms; as home routers do.
_QUEUE_MS = 200


class SlowLink:
    """A pair whose primary and secondary are hosts of their own, joined by a wire that can be slow, cut and joined again."""

    def __init__(self, both: Pair) -> None:
        self.both = both
        self._suffix = f"{os.getpid()}"
        self.near, self.far = f"hikae-a{self._suffix}", f"hikae-b{self._suffix}"
        self._wires = (f"ha{self._suffix}", f"hb{self._suffix}")

    def build(self) -> None:
        """Make both hosts and the wire; the agents are to be started in them."""
        for host in (self.near, self.far):
            run("ip", "netns", "add", host)
            self._in(host, "ip", "link", "set", "lo", "up")
        one, other = self._wires
        run("ip", "link", "add", one, "netns", self.near, "type", "veth", "peer", "name", other, "netns", self.far)
        for host, wire, address in ((self.near, one, _HERE), (self.far, other, _THERE)):
            self._in(host, "ip", "address", "add", f"{address}/24", "dev", wire)
            self._in(host, "ip", "link", "set", wire, "up")
        self._move(self.both.alpha, self.near)
        self._move(self.both.beta, self.far)

    def reach_through(self, port: int) -> None:
        """The primary finds the secondary behind the relay."""
        config = self.both.alpha.config
        old, new = f'"127.0.0.1:{self.both.beta.port}"', f'"{_THERE}:{port}"'
        config.write_text(config.read_text().replace(f"address = {old}", f"address = {new}"))

    def slow(self, megabits: float) -> None:
        """Both directions carry so many millions of bits a second."""
        for host, wire in zip((self.near, self.far), self._wires, strict=True):
            shape = ("rate", f"{megabits}mbit", "burst", "16kb", "latency", f"{_QUEUE_MS}ms")
            self._in(host, "tc", "qdisc", "replace", "dev", wire, "root", "tbf", *shape)

    def cut(self) -> None:
        """Nothing passes, and nobody is told."""
        self._in(self.far, "ip", "link", "set", self._wires[1], "down")

    def join(self) -> None:
        """It is whole again."""
        self._in(self.far, "ip", "link", "set", self._wires[1], "up")

    def carried(self) -> int:
        """Bytes that left the primary's host since it was made."""
        return int(self._in(self.near, "cat", f"/sys/class/net/{self._wires[0]}/statistics/tx_bytes"))

    def relay(self, port: int, seconds: float) -> subprocess.Popen[bytes]:
        """The relay on the secondary's host; to be killed."""
        words = [sys.executable, str(RELAY), _THERE, str(port), str(self.both.beta.port), str(seconds)]
        process = subprocess.Popen(["ip", "netns", "exec", self.far, *words], stdin=subprocess.DEVNULL)
        eventually(lambda: f":{port} " in self._in(self.far, "ss", "-ltn"))
        return process

    def tear_down(self) -> None:
        """Both hosts go, and the wire with them."""
        for host in (self.near, self.far):
            subprocess.run(["ip", "netns", "delete", host], capture_output=True, check=False)

    def _in(self, host: str, *words: str) -> str:
        return run("ip", "netns", "exec", host, *words)

    def _move(self, agent: Agent, host: str) -> None:
        agent.program = ("ip", "netns", "exec", host, *agent.program)


def can_link() -> bool:
    """Whether this machine lets us make hosts with slow wires."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in ("ip", "tc", "ss"))


@contextmanager
def slow_link(extra: str, megabits: float, delay: float = 0.025) -> Iterator[SlowLink]:
    """A pair over such a wire, ``delay`` seconds each way; not started yet."""
    with ExitStack() as stack:
        both = stack.enter_context(pair(extra))
        link = SlowLink(both)
        stack.callback(link.tear_down)
        link.build()
        link.slow(megabits)
        port = both.beta.port + 1
        relay = stack.enter_context(link.relay(port, delay))
        stack.callback(relay.kill)
        link.reach_through(port)
        for agent in both.agents:
            stack.callback(agent.kill)
        yield link
