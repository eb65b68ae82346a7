"""What a service unit says of how its program is begun (systemd.service(5), systemd.exec(5)), read from its text. Pure.

The text is what ``systemctl cat`` prints: the unit's file and its drop-ins, one behind the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_DEFAULT_MODE = 0o755
_DEFAULT_UMASK = 0o022
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
#: At the beginning of a command: its failure does not count; variables stand as they are; its first word is another name.
_MAY_FAIL, _VERBATIM, _NAMED = "-", ":", "@"
#: With all privileges, or with some: no stage holds what runs so.
_PRIVILEGED = "+!"
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII)
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "hr": 3600.0}
#: What changes what a program sees so much that it would not be the same one on a stage, with why.
_NOT_ON_A_STAGE = {
    "RootDirectory": "it has a root of its own",
    "RootImage": "it has a root of its own",
    "DynamicUser": "its user is made when it begins",
    "LoadCredential": "its credentials are handed over by the service manager",
    "SetCredential": "its credentials are handed over by the service manager",
    "Sockets": "its sockets are handed over by the service manager",
}

#: Specifiers that are the same for every unit of the machine.
_PLACES = {
    "t": "/run",
    "S": "/var/lib",
    "C": "/var/cache",
    "L": "/var/log",
    "E": "/etc",
    "T": "/tmp",  # noqa: S108
    "V": "/var/tmp",  # noqa: S108
    "u": "root",
    "U": "0",
    "h": "/root",
    "s": "/bin/sh",
}


class UnitKind(StrEnum):
    """When a unit counts as begun: its program runs, it said so, its first process ended and left others, it ended."""

    SIMPLE = "simple"
    EXEC = "exec"
    NOTIFY = "notify"
    FORKING = "forking"
    ONESHOT = "oneshot"


_KINDS = {**{one.value: one for one in UnitKind}, "idle": UnitKind.SIMPLE, "notify-reload": UnitKind.NOTIFY}


@dataclass(frozen=True, slots=True)
class UnitCommand:
    """``words``: with variables in them, unless ``verbatim``; ``shown``: the first word that the program is given, "" for its
    path; ``may_fail``: how it ends does not count."""

    words: tuple[str, ...]
    shown: str = ""
    may_fail: bool = False
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class UnitProgram:
    """``before``, ``main``, ``after``: commands in their order. ``files``: of variables, with whether one may be missing;
    ``directories``: below ``/run``; ``seconds``: within which it is to be begun, None where the unit does not say."""

    name: str
    kind: UnitKind
    before: tuple[UnitCommand, ...]
    main: tuple[UnitCommand, ...]
    after: tuple[UnitCommand, ...]
    user: str
    group: str
    groups: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    files: tuple[tuple[str, bool], ...]
    umask: int
    directories: tuple[str, ...]
    mode: int
    seconds: float | None


class NotOnAStage(ValueError):
    """The unit cannot be begun on a stage; the text says why, after its name."""


def unit_program(name: str, text: str) -> UnitProgram:
    """What the unit ``name`` begins. Raises ``NotOnAStage``."""
    if not name.endswith(".service"):
        raise NotOnAStage("it is no service")
    said = _Said(name, _service(text))
    kind = _kind(said)
    program = UnitProgram(
        name,
        kind,
        said.commands("ExecStartPre"),
        said.commands("ExecStart"),
        said.commands("ExecStartPost"),
        said.one("User"),
        said.one("Group"),
        tuple(said.words("SupplementaryGroups")),
        said.one("WorkingDirectory"),
        dict(_variables(said.words("Environment"))),
        tuple((one.removeprefix("-"), one.startswith("-")) for one in said.lines("EnvironmentFile")),
        _octal("UMask", said.one("UMask"), _DEFAULT_UMASK),
        tuple(said.words("RuntimeDirectory")),
        _octal("RuntimeDirectoryMode", said.one("RuntimeDirectoryMode"), _DEFAULT_MODE),
        _seconds(said.one("TimeoutStartSec") or said.one("TimeoutSec")),
    )
    if not program.main or (kind is not UnitKind.ONESHOT and len(program.main) > 1):
        raise NotOnAStage("it begins no program, or several at once")
    return program


class _Said:
    """What stands below ``[Service]``, in order; a key that is set to nothing forgets what it had."""

    def __init__(self, name: str, lines: Sequence[tuple[str, str]]) -> None:
        self._name = name
        self._lines: dict[str, list[str]] = {}
        for key, value in lines:
            if value:
                self._lines.setdefault(key, []).append(value)
            else:
                self._lines.pop(key, None)
        for key, why in _NOT_ON_A_STAGE.items():
            if self._lines.get(key, ["no"])[-1] not in ("no", "false", "off", "0"):
                raise NotOnAStage(f"{why} ({key}=)")

    def one(self, key: str) -> str:
        """The last one said, "" for none."""
        return self.lines(key)[-1] if key in self._lines else ""

    def lines(self, key: str) -> list[str]:
        """Each as it was written, specifiers filled in."""
        return [specified(one, self._name) for one in self._lines.get(key, ())]

    def words(self, key: str) -> list[str]:
        """Of all lines."""
        return [specified(word, self._name) for line in self._lines.get(key, ()) for word in words_of(line)]

    def commands(self, key: str) -> tuple[UnitCommand, ...]:
        """One a line, or several that a lone semicolon parts."""
        return tuple(
            _command([specified(word, self._name) for word in words])
            for line in self._lines.get(key, ())
            for words in _parted(words_of(line))
        )


def _service(text: str) -> list[tuple[str, str]]:
    """The keys of ``[Service]`` and their values, continued lines joined, in order."""
    found: list[tuple[str, str]] = []
    section, begun = "", ""
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue  # also between lines that are continued
        whole = begun + line.strip()
        if whole.endswith("\\"):
            begun = f"{whole[:-1].rstrip()} "
            continue
        begun = ""
        if whole.startswith("["):
            section = whole
        elif section == "[Service]" and "=" in whole:
            key, _, value = whole.partition("=")
            found.append((key.rstrip(), value.lstrip()))
    return found


def words_of(line: str) -> list[str]:
    """Words of a line, quoted and escaped as systemd.syntax(7) has it. Raises ``NotOnAStage``."""
    words: list[str] = []
    word, quote, at = "", "", 0
    begun = False
    while at < len(line):
        character = line[at]
        at += 1
        if character == "\\" and at < len(line):
            given, at = _escaped(line, at)
            word, begun = word + given, True
        elif quote:
            quote, word = ("", word) if character == quote else (quote, word + character)
        elif character in "\"'":
            quote, begun = character, True
        elif character.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + character, True
    if quote:
        raise NotOnAStage(f"a quote is not closed: {line}")
    return [*words, word] if begun else words


def _escaped(line: str, at: int) -> tuple[str, int]:
    """What a backslash before ``at`` stands for, and where the text goes on."""
    for begin, length, base in (("x", 2, 16), ("u", 4, 16), ("U", 8, 16)):
        digits = line[at + 1 : at + 1 + length]
        if line[at] == begin and len(digits) == length and all(one in "0123456789abcdefABCDEF" for one in digits):
            return chr(int(digits, base)), at + 1 + length
    if line[at] in "01234567" and len(line[at : at + 3]) == 3 and line[at : at + 3].isdecimal():
        return chr(int(line[at : at + 3], 8)), at + 3
    return _ESCAPES.get(line[at], line[at]), at + 1


def _parted(words: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in words:
        if word == ";":
            found.append([])
        else:
            found[-1].append(word)
    return [one for one in found if one]


def _command(words: Sequence[str]) -> UnitCommand:
    first = words[0]
    marks = first[: len(first) - len(first.lstrip("-:@+!"))]
    if any(one in _PRIVILEGED for one in marks):
        raise NotOnAStage(f"it runs a program with the machine's privileges: {first}")
    rest = [first[len(marks) :], *words[1:]]
    named = _NAMED in marks
    if not rest[0].strip() or (named and len(rest) < 2):
        raise NotOnAStage(f"it runs no program: {' '.join(words)}")
    shown = rest.pop(1) if named else ""
    return UnitCommand(tuple(rest), shown, _MAY_FAIL in marks, _VERBATIM in marks)


def specified(text: str, name: str) -> str:
    """With specifiers filled in (systemd.unit(5)). Raises ``NotOnAStage`` for one that is not known here."""
    whole = name.removesuffix(".service")
    prefix, _, instance = whole.partition("@")
    known = {
        "%": "%",
        "n": name,
        "N": whole,
        "p": prefix,
        "i": instance,
        "P": unescaped(prefix),
        "I": unescaped(instance),
        **_PLACES,
    }

    def filled(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise NotOnAStage(f"{found[0]} stands in it, which is not known on a stage: {text}")
        return known[found[1]]

    return re.sub(r"%(.)", filled, text)


def unescaped(name: str) -> str:
    """A part of a unit's name as it was before systemd-escape(1)."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda one: chr(int(one[1], 16)), name.replace("-", "/"))


def _variables(words: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [word.partition("=") for word in words]
    return [(name, value) for name, equals, value in pairs if equals]


def _kind(said: _Said) -> UnitKind:
    given = said.one("Type") or ("simple" if said.lines("ExecStart") else "oneshot")
    if given not in _KINDS:
        raise NotOnAStage(f"it says over D-Bus that it serves, which no stage has (Type={given})")
    return UnitKind(_KINDS[given])


def _octal(key: str, given: str, usual: int) -> int:
    try:
        return int(given, 8) if given else usual
    except ValueError:
        raise NotOnAStage(f"{key}={given} is no mode") from None


def _seconds(given: str) -> float | None:
    """None: it does not say, or for ever."""
    if given in ("", "infinity"):
        return None
    parts = _SPAN.findall(given)
    if not parts or any(unit not in _SECONDS for _, unit in parts):
        raise NotOnAStage(f"{given!r} is no time")
    return sum(float(count) * _SECONDS[unit] for count, unit in parts) or None
