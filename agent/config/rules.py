"""Names, paths, patterns and calendars: each rule takes what stood in the file and gives it back, or raises ``ValueError`` with
what is wrong and what to write instead."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from agent.config.patterns import compiled
from agent.config.units import shown_value

_NODE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DATASET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
#: ``sockaddr_un.sun_path`` holds 108 bytes with the final zero.
SOCKET_PATH_LIMIT = 107
#: Only to parse a cron line: from when on makes no difference.
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def text(value: object, example: str) -> str:
    """A string that is not empty and holds no NUL."""
    if not isinstance(value, str):
        raise ValueError(f"{shown_value(value)} is not a text in quotes; write one, like {example}")
    if not value or "\0" in value:
        raise ValueError(f"{shown_value(value)} is empty or holds a NUL; write a text, like {example}")
    return value


def empty_is_none(value: object) -> object:
    """An empty text is how a key is written that is not set."""
    return None if value == "" else value


def node_name(value: object) -> str:
    """A name that can stand in a certificate as a DNS name."""
    if not isinstance(value, str) or not _NODE_NAME.fullmatch(value):
        raise ValueError(
            f"{shown_value(value)} is no name for a node; "
            'write up to 63 of a-z, 0-9 and "-", with no "-" at either end, like "alpha"'
        )
    return value


def dataset_name(value: object) -> str:
    """A name that can stand in paths and on command lines."""
    return _named(value, "a dataset", "web")


def group_name(value: object) -> str:
    """The same of a group."""
    return _named(value, "a group", "shop")


def _named(value: object, what: str, example: str) -> str:
    if not isinstance(value, str) or not _DATASET_NAME.fullmatch(value):
        raise ValueError(
            f"{shown_value(value)} is no name for {what}; write up to 63 letters, digits, "
            f'".", "_" and "-", beginning with a letter or digit, like "{example}"'
        )
    return value


def absolute_path(value: object) -> str:
    """An absolute path, without needless slashes, ``.`` and ``..``."""
    path = text(value, '"/srv/web"')
    if not path.startswith("/"):
        raise ValueError(
            f"{shown_value(path)} is a relative path; write the whole path from /, like {shown_value(_whole(path))}"
        )
    if ".." in path.split("/"):
        raise ValueError(f'{shown_value(path)} holds ".."; write where it really leads')
    return os.path.normpath("/" + path.lstrip("/"))


def _whole(path: str) -> str:
    """What was meant, as far as that can be guessed: the slash was forgotten, or the directory above."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return "/" + "/".join(parts if len(parts) > 1 or parts == ["srv"] else ["srv", *(parts or ["web"])])


def socket_path(value: object) -> str:
    """An absolute path that fits the address of a Unix socket."""
    path = absolute_path(value)
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ValueError(
            f"{shown_value(path)} is longer than the {SOCKET_PATH_LIMIT} bytes of a socket's path; write a shorter one"
        )
    return path


def cron(value: object) -> str:
    """A cron line of five fields, in local time."""
    line = text(value, '"0 3 * * *"')
    try:
        if len(line.split()) != 5:
            raise ValueError("not five fields")
        CronSim(line, _SOME_DAY)
    except (CronSimError, ValueError) as error:
        raise ValueError(
            f'{shown_value(line)} is no cron line ({error}); write minute, hour, day, month and weekday, like "0 3 * * *"'
        ) from None
    return line


def cron_or_none(value: object) -> str:
    """A cron line, or ``"none"``."""
    return "none" if value == "none" else cron(value)


def pattern(value: object) -> str:
    """A line in the style of .gitignore that means something."""
    line = text(value, '"**/*.tmp"')
    try:
        found = compiled([line])
    except ValueError as error:
        raise ValueError(
            f'{shown_value(line)} is no pattern ({error}); write one as in .gitignore, like "**/*.tmp"'
        ) from None
    if not any(each.include is not None for each in found.patterns):
        raise ValueError(
            f'{shown_value(line)} matches nothing ({_why_nothing(line)}); write a pattern, like "**/*.tmp"'
        )
    return line


def _why_nothing(line: str) -> str:
    if not line.strip() or line.startswith("#"):
        return "blank, or a comment"
    return "a [ that no ] closes; \\[ is the sign itself" if "[" in line else "nothing is left of it"


def exception(value: object) -> str:
    """A pattern of what comes back although it is excluded."""
    line = pattern(value)
    if line.startswith("!"):
        raise ValueError(
            f'{shown_value(line)} says "not" twice, as include names what stays; write {shown_value(line[1:])}'
        )
    return line


def label(value: object) -> str:
    """A word of an operator for a generation."""
    return text(value, '"release-*"')


def command(value: object) -> tuple[str, ...]:
    """A program and its arguments."""
    example = '["systemctl", "start", "shop"]'
    if not isinstance(value, list):
        raise ValueError(
            f"{shown_value(value)} is no list of words; write the program and each argument for itself, like {example}"
        )
    if not all(isinstance(word, str) and "\0" not in word for word in value) or not all(value[:1]):
        raise ValueError(f"a word in it is not a text, or the program is empty; write texts in quotes, like {example}")
    return tuple(value)


_SERVICE = re.compile(r"[A-Za-z0-9:_.\\@-]{1,247}\.service", re.ASCII)


def service_unit(value: object) -> str:
    """The whole name of a service unit."""
    if not isinstance(value, str) or not _SERVICE.fullmatch(value):
        raise ValueError(f"{shown_value(value)} is no name of a service unit; write it whole, like shop.service")
    return value


def probe_as_written(value: object) -> object:
    """See :func:`hook_as_written`; with units there need be no program."""
    if isinstance(value, dict) and value.get("units"):
        return value
    if isinstance(value, dict) and "run" not in value:
        return {**value, "run": ""}  # refused in words, as what else is wrong in it
    return hook_as_written(value)


def hook_as_written(value: object) -> object:
    """A hook as a table: what was written as a list of words, as ``"none"``, or as a table already; None for an empty list."""
    if value == "none":
        return {"run": []}
    if isinstance(value, dict):
        if value.get("run") == []:
            raise ValueError('runs nothing; write the program into run, or "none" in place of the table')
        return value
    if isinstance(value, str) or not isinstance(value, list):
        command(value)
    return {"run": value} if value else None
