"""The machine's own programs, executed for a hook; what they say of a failure is its reason."""

from __future__ import annotations

import subprocess

from agent.core.errors import HikaeError


def output_of(words: tuple[str, ...], operation: str, subject: str, remedy: str = "") -> str:
    """What a program says. Raises ``HikaeError`` where it cannot be run, or fails."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except (OSError, ValueError) as error:
        reason = f"{words[0]} cannot be run ({getattr(error, 'strerror', None) or error})"
        raise HikaeError(operation, subject, reason, f"install {words[0]}") from error
    if done.returncode != 0:
        said = done.stderr.strip().rpartition("\n")[2] or f"{words[0]} ended with exit code {done.returncode}"
        raise HikaeError(operation, subject, said, remedy)
    return done.stdout
