"""What every command is given: where the configuration is, and the agent behind it."""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


@dataclass(slots=True)
class Context:
    """``config``: the file that was asked for, None for the default; tests put others in place of the two callables."""

    config: str | None = None
    connect: Callable[[str], Controls] = agent_at
    ticks: Callable[[float], Iterator[None]] = every

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


def admin_socket(config: str | None) -> str:
    """The socket's path, read from the file without checking the rest of it: commands must work while it is being
    edited, and start at once. Without the default file the default socket is meant."""
    path = config or DEFAULT_CONFIG
    try:
        with open(path, "rb") as file:
            node = tomllib.load(file).get("node", {})
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
