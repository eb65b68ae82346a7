"""``pki``: the certificate authority in a directory, and the nodes' certificates."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

import click

from agent import pki as authority
from agent.cli.groups import Group
from agent.cli.output import answer_json, json_option, remark, say
from agent.core.clock import SystemClock
from agent.core.errors import ConfigError, NotPermitted
from agent.pki import CertificateInfo
from agent.pki.authority import DEFAULT_DIR, NODE_DAYS
from agent.status.figures import stamp

_SOON_DAYS = 30

_Command = TypeVar("_Command", bound=Callable[..., Any])  # Any: click calls commands with what their options say


def _dir_option(command: _Command) -> _Command:
    words = "The authority's directory."
    return click.option("--dir", "directory", default=DEFAULT_DIR, show_default=True, metavar="D", help=words)(command)


@click.group(cls=Group)
def pki() -> None:
    """Make and look after certificates."""


@pki.command()
@_dir_option
@json_option
def init(directory: str, as_json: bool) -> None:
    """Make the authority: D/ca.crt, D/ca.key and the empty D/ca.crl.

    Keep ca.key off the servers; every node needs ca.crt and ca.crl."""
    with told_of("make an authority", directory):
        made = authority.init(directory, _now())
    _answer([made], as_json)


@pki.command()
@click.argument("name")
@_dir_option
@click.option("--host", "hosts", multiple=True, metavar="H", help="A DNS name or address that peers dial; repeatable.")
@click.option("--days", type=click.IntRange(min=1), default=NODE_DAYS, show_default=True, help="How long it is good.")
@json_option
def issue(name: str, directory: str, hosts: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a node's certificate: D/NAME.crt and D/NAME.key."""
    with told_of("issue a certificate", directory):
        made = authority.issue(name, directory, hosts, days, now_ns=_now())
    _answer([made], as_json)


@pki.command()
@click.argument("name")
@_dir_option
@click.option("--days", type=click.IntRange(min=1), default=NODE_DAYS, show_default=True, help="How long it is good.")
@json_option
def renew(name: str, directory: str, days: int, as_json: bool) -> None:
    """Make a new certificate, with a key of its own, for the same name and hosts.

    Copy both to the node; its agent takes them up by itself. The old certificate stays good until it expires."""
    with told_of("renew the certificate", directory):
        made = authority.renew(name, directory, days, now_ns=_now())
    _answer([made], as_json)


@pki.command()
@click.argument("name_or_serial", metavar="NAME|SERIAL")
@_dir_option
@json_option
def revoke(name_or_serial: str, directory: str, as_json: bool) -> None:
    """Put a certificate on the list of those that nobody accepts.

    Copy D/ca.crl to every node: it is in force there once it is there."""
    with told_of("revoke", directory):
        revoked = authority.revoke(name_or_serial, directory, now_ns=_now())
    _answer(revoked, as_json)
    remark(f"now copy {directory}/ca.crl to every node")


@pki.command()
@_dir_option
@json_option
def show(directory: str, as_json: bool) -> None:
    """The authority and its certificates, and when they expire."""
    with told_of("show the certificates", directory):
        known = authority.show(directory, now_ns=_now())
    _answer(known, as_json)


@contextmanager
def told_of(operation: str, directory: str) -> Iterator[None]:
    """What the directory or this machine's clock do not allow, in a sentence."""
    try:
        yield
    except PermissionError as error:
        reason = f"{os.fsdecode(error.filename or directory)}: {error.strerror}"
        raise NotPermitted(operation, directory, reason, "use sudo, or name a directory of yours with --dir") from error
    except OSError as error:
        reason = f"{os.fsdecode(error.filename or directory)}: {error.strerror}"
        raise ConfigError(operation, directory, reason, "name another directory with --dir") from error
    except (OverflowError, ValueError) as error:
        reason = f"this machine's clock gives times that no certificate can hold ({error})"
        raise ConfigError(operation, directory, reason, "set the clock: timedatectl") from error


def _answer(infos: list[CertificateInfo], as_json: bool) -> None:
    if as_json:
        answer_json([_json(info) for info in infos])
        return
    width = max(len(info.name) for info in infos)
    for info in infos:
        hosts = f"   for {', '.join(info.hosts)}" if info.hosts else ""
        say(f"{info.name:<{width}}   {_standing(info)}   serial {info.serial}   {info.path}{hosts}")


def _standing(info: CertificateInfo) -> str:
    until = (stamp(info.not_after) or "")[:10]
    if info.revoked:
        return "REVOKED"
    if not info.issuer_ok:
        return "OF ANOTHER AUTHORITY"
    if info.days_left < 0:
        return f"EXPIRED {until}"
    soon = " SOON: hikae pki renew" if info.days_left < _SOON_DAYS else ""
    return f"until {until} ({info.days_left} days){soon}"


def _json(info: CertificateInfo) -> dict[str, object]:
    return {**asdict(info), "not_before": stamp(info.not_before), "not_after": stamp(info.not_after)}


def _now() -> int:
    return SystemClock().now_ns()
