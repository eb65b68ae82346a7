"""Ports and sockets that somebody else has: the agent says so and ends with 3; nothing that runs is disturbed."""

from __future__ import annotations

import socket

from agent.core.errors import Exit
from fakes.agents import Agent, Pair, free_port, pair


def refused(agent: Agent) -> str:
    """What an agent says that cannot start: exit code 3, one sentence, no traceback."""
    done = agent.run("agent", timeout=30)
    assert Exit.REFUSED == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def take_port_of(agent: Agent, other: Agent) -> None:
    """Let ``agent`` be configured for the port of the other."""
    text = agent.config.read_text()
    agent.config.write_text(text.replace(f'listen = "127.0.0.1:{agent.port}"', f'listen = "127.0.0.1:{other.port}"'))


def test_a_port_taken_by_another_program_is_named() -> None:
    """Some program listens on the port; once it is gone the agent starts."""
    with pair() as both:
        with socket.create_server(("127.0.0.1", both.alpha.port)):
            said = refused(both.alpha)
            assert f"127.0.0.1:{both.alpha.port}" in said
            assert "[node] listen" in said
        both.alpha.start()
        both.alpha.up()


def test_a_port_taken_by_another_agent_is_named() -> None:
    """Two agents never share a port; the first goes on replicating."""
    with pair() as both:
        both.beta.start()
        both.beta.up()
        both.reach_beta_through(free_port())
        take_port_of(both.alpha, both.beta)
        assert f"127.0.0.1:{both.beta.port}" in refused(both.alpha)
        assert both.beta.up()["node"] == "beta"


def test_a_running_agent_keeps_its_admin_socket() -> None:
    """The same agent started twice: the second is refused by the socket's lock, and the first still answers there."""
    with pair() as both:
        both.alpha.start()
        both.alpha.up()
        said = refused(both.alpha)
        assert str(both.alpha.socket) in said
        assert "another hikae agent is running" in said
        assert both.alpha.up()["node"] == "alpha"


def test_a_stale_admin_socket_is_no_hindrance() -> None:
    """What a killed agent left behind is cleared away by the next."""
    with pair() as both:
        kill_and_start(both)
        assert both.alpha.up()["node"] == "alpha"


def kill_and_start(both: Pair) -> None:
    """Leave a socket without an agent, then start one."""
    both.alpha.start()
    both.alpha.up()
    both.alpha.kill()
    assert both.alpha.socket.is_socket()
    both.alpha.start()
