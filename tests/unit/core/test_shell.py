"""Paths as they are typed: a real shell takes them for what they are."""

from __future__ import annotations

import random
import subprocess

import pytest

from agent.core.shell import shell_word

PATHS = [
    *(b"plain", b"with space", b"it's", b"-n", b"a\\b", b"new\nline", b"\xff\xfe", b"\x01end"),
    *("控え".encode(), b"'\xff\\'", b"$HOME `x`"),
]


def taken_by_a_shell(words: list[str]) -> list[bytes]:
    """The arguments that bash sees."""
    run = subprocess.run(["bash", "-c", "printf '%s\\0' " + " ".join(words)], capture_output=True, check=True)
    return run.stdout.split(b"\0")[:-1]


def test_each_is_one_word() -> None:
    """Whatever it holds."""
    assert taken_by_a_shell([shell_word(path) for path in PATHS]) == PATHS


def test_any_bytes(rng: random.Random) -> None:
    """All that a name may hold."""
    paths = [bytes(rng.randrange(1, 256) for _ in range(rng.randrange(1, 20))) for _ in range(300)]
    assert taken_by_a_shell([shell_word(path) for path in paths]) == paths


@pytest.mark.parametrize(
    ("path", "typed"), [(b"/srv/www", "/srv/www"), (b"/srv/a b", "'/srv/a b'"), (b"\xff", "$'\\xff'")]
)
def test_as_it_is_shown(path: bytes, typed: str) -> None:
    """Plain where it can be."""
    assert typed == shell_word(path)
