"""What every command is given: where the configuration is, and the agent behind it."""

from __future__ import annotations

import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import click

from agent.core.errors import ConfigError, NotPermitted
from agent.operations.declaration import Controls

DEFAULT_CONFIG = "/etc/hikae/agent.toml"
DEFAULT_SOCKET = "/run/hikae/admin.sock"


def agent_at(path: str) -> Controls:
    """The agent behind a socket."""
    from agent.api.client import AdminClient  # HTTP takes a third of the start of `hikae --help`

    return AdminClient(path)


def every(seconds: float) -> Iterator[None]:
    """Now, and again every ``seconds``, until the caller is interrupted."""
    while True:
        yield
        time.sleep(seconds)


class Person(Protocol):
    """Who types the command."""

    def can_be_asked(self) -> bool:
        """Whether anybody would read a question."""
        ...

    def agrees(self, text: str) -> bool:
        """Ask; the default is no."""
        ...


class PersonAtTerminal:
    """Whoever sits at the terminal that the command runs in, if it does."""

    def can_be_asked(self) -> bool:
        """See ``Person``."""
        return sys.stdin.isatty()

    def agrees(self, text: str) -> bool:
        """See ``Person``."""
        return click.confirm(text, default=False, err=True)


def configuration_bytes(path: str) -> bytes:
    """What stands in a configuration file. Raises ``OSError``."""
    with open(path, "rb") as file:
        return file.read()


@dataclass(slots=True)
class Context:
    """``config``: the file that was asked for, None for the default; ``connect``: the agent behind a socket; ``ticks``: when to
    look again; ``person``: who can be asked."""

    config: str | None = None
    connect: Callable[[str], Controls] = agent_at
    ticks: Callable[[float], Iterator[None]] = every
    person: Person = field(default_factory=PersonAtTerminal)

    @property
    def config_path(self) -> str:
        """The configuration file in force."""
        return self.config or DEFAULT_CONFIG

    @property
    def socket_path(self) -> str:
        """Where the agent is asked; beside it lies what it publishes. Where the configuration may not be read, and none was
        named, the usual place."""
        try:
            return admin_socket(self.config)
        except NotPermitted:
            if self.config is not None:
                raise
            return DEFAULT_SOCKET

    def controls(self) -> Controls:
        """The agent that this configuration starts. Raises ``ConfigError`` and ``NotPermitted``; whether an agent
        is there shows at the first call."""
        return self.connect(admin_socket(self.config))


def admin_socket(
    config: str | None, default: str = DEFAULT_CONFIG, read: Callable[[str], bytes] = configuration_bytes
) -> str:
    """The socket's path, read from the file without checking the rest of it: commands must work while it is being
    edited, and start at once. Without the default file the default socket is meant."""
    path = config or default
    try:
        node = tomllib.loads(read(path).decode()).get("node", {})
    except FileNotFoundError as error:
        if config is None:
            return DEFAULT_SOCKET
        raise ConfigError(
            "read the configuration", path, "there is no such file", "give its path with --config"
        ) from error
    except PermissionError as error:
        raise NotPermitted("read the configuration", path, "no permission", "use sudo") from error
    except OSError as error:
        raise ConfigError("read the configuration", path, os.strerror(error.errno or 0)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("read the configuration", path, str(error), "hikae config check") from error
    found = node.get("admin_socket", DEFAULT_SOCKET) if isinstance(node, dict) else DEFAULT_SOCKET
    return str(found)
