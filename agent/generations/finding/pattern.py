"""What is looked for: a name, a path, or a pattern for them. Pure.

As in gitignore: without a slash it is a name, wherever it stands; with one it is a path from the root of the dataset. ``*``,
``?`` and ``[…]`` stand for bytes of one name, ``**`` for any number of directories; a backslash takes a sign as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.core.errors import UsageError
from agent.status.text import shown

_LONGEST = 4096
#: So often a pattern may hold ``**``: each goes over all depths for those before it.
_MOST_DEPTHS = 4
#: A whole name: any number of directories.
_ANY_DEPTH = b"**"
_TOKEN = re.compile(rb"\\(.)|\*+|\?|\[[!^]?\]?[^\]]*\]|(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PatternPart:
    """One name of a pattern. ``literal``: what it stands for, if it has no wildcards; ``held``: the longest bytes that each name
    that it stands for holds; ``expression``: for ``re``."""

    expression: bytes
    held: bytes
    literal: bytes | None

    @property
    def is_any_depth(self) -> bool:
        """Whether it stands for any number of directories."""
        return self.expression == _ANY_DEPTH


@dataclass(frozen=True, slots=True)
class Pattern:
    """``parts``: from the root down. ``text``: as it was typed."""

    text: bytes
    parts: tuple[PatternPart, ...]

    @property
    def literal(self) -> bytes | None:
        """The one path that is meant; None where it may be several."""
        names = [part.literal for part in self.parts]
        return b"/".join(name for name in names if name is not None) if None not in names else None

    @property
    def is_plain(self) -> bool:
        """Whether it is a name or a path, without wildcards."""
        names = [part.literal for part in self.parts if not part.is_any_depth]
        return None not in names and _ANY_DEPTH not in self.text

    def fixed(self) -> tuple[PatternPart, ...]:
        """The names before the first that stands for any number of directories."""
        deep = [at for at, part in enumerate(self.parts) if part.is_any_depth]
        return self.parts[: deep[0]] if deep else self.parts

    def to_scan_for(self) -> int | None:
        """Which of the names behind the first ``**`` is best looked for among all names; None where the pattern is better
        followed from the root down."""
        behind = range(len(self.fixed()) + 1, len(self.parts))
        found = [(len(self.parts[at].held), at) for at in behind if not self.parts[at].is_any_depth]
        if not found or (max(found)[0] == 0 and self.fixed()):
            return None
        return max(found)[1]

    def down_to(self, at: int) -> Pattern:
        """The pattern of what is above and at this name."""
        return Pattern(self.text, self.parts[: at + 1])

    def below(self, at: int) -> Pattern | None:
        """The pattern of what is below this name; None where it is the last."""
        return Pattern(self.text, self.parts[at + 1 :]) if at + 1 < len(self.parts) else None

    def compiled(self) -> re.Pattern[bytes]:
        """Matches whole paths. The names between two ``**`` take the first place where they fit, and no other one is tried: that
        is enough, and else a deep path would cost the product of all depths, in one call that nothing else of the agent goes
        beside."""
        stretches = [list[bytes]()]
        for part in self.parts:
            if part.is_any_depth:
                stretches.append([])
            else:
                stretches[-1].append(part.expression)
        first, *middle = stretches
        if not middle:
            return re.compile(b"/".join(first), re.DOTALL)
        last = middle.pop()
        found = _above(first) + b"".join(rb"(?>(?:[^/]*/)*?" + _above(names) + b")" for names in middle)
        found += rb"(?:[^/]*/)*" + b"/".join(last) if last else rb".*"
        return re.compile(found, re.DOTALL)


def parse_pattern(text: bytes) -> Pattern:
    """Raises ``UsageError`` for what can be no path of a dataset."""
    names = [name for name in text.split(b"/") if name not in (b"", b".")]
    if not names or b".." in names or b"\0" in text or len(text) > _LONGEST or names.count(_ANY_DEPTH) > _MOST_DEPTHS:
        reason = "it is no name, path or pattern below the root of the dataset"
        raise UsageError(
            "find", shown(text[:100]), reason, "give a name (a.txt), a path (etc/a.txt) or a pattern (etc/**/*.txt)"
        )
    is_anywhere = b"/" not in text.rstrip(b"/")
    parts = tuple(_parsed(name) for name in names)
    return Pattern(text, (_parsed(_ANY_DEPTH), *parts) if is_anywhere and names != [_ANY_DEPTH] else parts)


def _above(names: list[bytes]) -> bytes:
    return b"".join(name + b"/" for name in names)


def literally(text: bytes) -> bytes:
    """The path that this would be if no sign of it stood for another."""
    return b"/".join(name for name in text.split(b"/") if name not in (b"", b"."))


def _parsed(name: bytes) -> PatternPart:
    if name == _ANY_DEPTH:
        return PatternPart(_ANY_DEPTH, b"", None)
    stretches, runs, is_wild = [b""], [b""], False
    for token in _TOKEN.finditer(name):
        literal = token[1] or token[2]
        if literal is not None:
            stretches[-1] += re.escape(literal)
            runs[-1] += literal
            continue
        is_wild = True
        runs.append(b"")
        if token[0].startswith(b"*"):
            stretches.append(b"")
        else:
            stretches[-1] += _one_of(token[0])
    return PatternPart(_joined(stretches), max(runs, key=len), None if is_wild else runs[0])


def _joined(stretches: list[bytes]) -> bytes:
    """With a ``*`` between each two. All but the last take the first place where what follows fits, and no other one is tried:
    that is enough, and a pattern of many costs no more than its length."""
    first, *middle = stretches
    last = middle.pop() if middle else None
    found = first + b"".join(rb"(?>[^/]*?" + stretch + b")" for stretch in middle)
    return found if last is None else found + rb"[^/]*" + last


def _one_of(token: bytes) -> bytes:
    if token == b"?":
        return rb"[^/]"
    negated = token[1:2] in (b"!", b"^")
    inner = token[2 if negated else 1 : -1].replace(b"\\", rb"\\").replace(b"[", rb"\[").replace(b"]", rb"\]")
    inner = inner.replace(b"&&", rb"&\&").replace(b"||", rb"|\|").replace(b"~~", rb"~\~").replace(b"^", rb"\^")
    return (rb"(?!/)[^" if negated else rb"(?!/)[") + inner + b"]"
