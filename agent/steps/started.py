"""Which units a hook starts, read off its words; and whether they tell all that it starts. Pure.

Looked for are ``systemctl … start UNIT``, with whatever stands before it, the shipped ``hikae hook units-start UNIT``, and both
in what a shell is given to read. A program of the operator's is not looked into.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from agent.config.values import Hook

_SYSTEMCTL, _HIKAE, _HOOK, _SHIPPED = "systemctl", "hikae", "hook", "units-start"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"})
_STARTS = frozenset({"start", "restart", "reload-or-restart"})
#: What ends one command of a shell's and begins another.
_BETWEEN = frozenset(";|&()")
#: What leads a descriptor elsewhere, or is beside it.
_ELSEWHERE = frozenset("<>|&")
#: What a shell puts something else in place of.
_FILLED_IN = frozenset("$`*?[{~")


def started_units(hook: Hook | None) -> tuple[str, ...]:
    """The units that its words name, each once."""
    return tuple(dict.fromkeys(unit for words in _commands(hook) for unit in _units_in(words)))


def unseen_program(hook: Hook | None) -> str:
    """The program of a hook whose words do not tell all that it starts; "" where they do, or there is nothing to run."""
    if hook is None or not hook.run or all(_is_plain(words) for words in _commands(hook)):
        return ""
    return _called(hook.run[0])


def _commands(hook: Hook | None) -> Iterator[Sequence[str]]:
    """The words of each command: one, or those of what a shell reads."""
    if hook is None or not hook.run:
        return
    script = _script(hook.run)
    if script is None:
        yield hook.run
        return
    for line in script.splitlines():
        yield from _of_line(line)


def _script(words: Sequence[str]) -> str | None:
    """What is given to a shell to read; None where none is."""
    for place, word in enumerate(words[:-1]):
        short = word.startswith("-") and not word.startswith("--")
        if short and word.endswith("c") and any(_called(one) in _SHELLS for one in words[:place]):
            return words[place + 1]
    return None


def _of_line(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:  # a quotation goes on in the next line
        tokens = line.split()
    words = list[str]()
    rest = iter(tokens)
    for token in rest:
        if token and set(token) <= _ELSEWHERE and not set(token) <= _BETWEEN:
            next(rest, "")  # where it is written to, or read from
            if words and words[-1].isdecimal():
                words.pop()
        elif token and set(token) <= _BETWEEN:
            yield from [words] if words else []
            words = []
        else:
            words.append(token)
    yield from [words] if words else []


def _units_in(words: Sequence[str]) -> tuple[str, ...]:
    after = _after(words)
    return tuple(word for word in after if not word.startswith("-") and _FILLED_IN.isdisjoint(word))


def _after(words: Sequence[str]) -> Sequence[str]:
    """What stands behind the word that starts."""
    for place, word in enumerate(words):
        if word == _SHIPPED and place and words[place - 1] == _HOOK:
            return words[place + 1 :]
        if _called(word) == _SYSTEMCTL:
            rest = [one for one in words[place + 1 :] if not one.startswith("-")]
            return rest[1:] if rest and rest[0] in _STARTS else ()
    return ()


def _is_plain(words: Sequence[str]) -> bool:
    """Whether it starts the units that it names and nothing else."""
    named = [word for word in _after(words) if not word.startswith("-")]
    if named:
        return len(named) == len(_units_in(words))
    # Of the others that come with hikae none starts anything.
    return _called(words[0]) == _HIKAE and _HOOK in words and _SHIPPED not in words


def _called(word: str) -> str:
    return word.rpartition("/")[2]
