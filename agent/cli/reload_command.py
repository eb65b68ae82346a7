"""``hikae reload``: the agent reads its configuration again."""

from __future__ import annotations

import re

import click

from agent.cli.context import DEFAULT_CONFIG, DEFAULT_SOCKET, Context
from agent.cli.output import answer_json, json_option, remark, say
from agent.core.errors import ConfigError, Unreachable
from agent.operations.configuring import ReloadRequest
from agent.operations.declaration import Controls, Json

#: The key in a file that is no TOML now.
_SOCKET = re.compile(r"""^\s*admin_socket\s*=\s*["']([^"'\n]+)["']""", re.MULTILINE)


@click.command()
@json_option
@click.pass_obj
def reload(context: Context, as_json: bool) -> None:
    """Let the agent read its configuration again.

    Datasets and peers come, go and change while the others run on; a dataset is closed and opened anew for what it cannot take
    over while it is open. What needs a restart is named. A wrong file changes nothing: it is refused with every mistake, exit
    code 78."""
    result = _reloaded(context)
    if as_json:
        answer_json(result)
        return
    for warning in result["warnings"]:
        remark(f"warning: {warning}")
    if result["needs_restart"]:
        remark(f"waits for a restart: {', '.join(result['needs_restart'])}: systemctl restart hikae")
    taken = f"in force now: {', '.join(result['taken'])}" if result["taken"] else "nothing took effect"
    say(f"{', '.join(result['files'])}: {taken}")


def _reloaded(context: Context) -> Json:
    """The agent's answer. A file that does not even say which socket is meant must reach the agent too: it shows the problem
    until the file is right."""
    try:
        controls = context.controls()
    except ConfigError as error:
        try:
            return _controls_of_damaged(context).ask(ReloadRequest())
        except Unreachable:
            raise error from None
    return controls.ask(ReloadRequest())


def _controls_of_damaged(context: Context) -> Controls:
    try:
        with open(context.config_path, errors="replace") as file:
            found = _SOCKET.search(file.read())
    except OSError as error:
        if context.config_path != DEFAULT_CONFIG:
            # Another agent than the one that is meant may listen at the usual place.
            raise ConfigError("read the configuration", context.config_path, str(error.strerror)) from error
        found = None
    return context.connect(found[1] if found else DEFAULT_SOCKET)
