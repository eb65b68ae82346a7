"""``config check`` and ``config show``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

import click

from agent.cli.context import Context
from agent.cli.output import answer_json, json_option, remark, say
from agent.config import load, show
from agent.core.clock import SystemClock


@click.group()
def config() -> None:
    """Check or show the configuration."""


@config.command()
@json_option
@click.pass_obj
def check(context: Context, as_json: bool) -> None:
    """Read the configuration and the files that it names, with the eyes of the agent at its start.

    Every mistake is told at once; exit code 78 when there is one."""
    # Only here: certificates take a while to import.
    from agent.pki import startable
    from agent.roles.assignment import ignored_primaries

    settings = load(context.config_path)
    startability = startable.check_startable(settings, SystemClock().now_ns())
    warnings = [*settings.warnings, *startability, *ignored_primaries(settings)]
    if as_json:
        answer_json({"ok": True, "files": list(settings.source_files), "warnings": warnings})
        return
    _warn(warnings)
    count = len(settings.datasets)
    say(f"{', '.join(settings.source_files)}: good, {count} dataset{'' if count == 1 else 's'} on {settings.node.name}")


@config.command(name="show")
@json_option
@click.pass_obj
def show_(context: Context, as_json: bool) -> None:
    """The configuration in force, with every default filled in."""
    settings = load(context.config_path)
    if as_json:
        answer_json(_plain(settings))
    else:
        _warn(settings.warnings)
        click.echo(show(settings), nl=False)


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        remark(f"warning: {warning}")


def _plain(value: object) -> object:
    """What JSON can hold: dataclasses and mappings as objects, bytes as hex."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {os.fspath(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
