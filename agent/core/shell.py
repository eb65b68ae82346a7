"""What is to be typed in a shell, as a remedy says it."""

from __future__ import annotations

import shlex


def shell_word(path: bytes) -> str:
    """A path as it is typed in a shell, whatever bytes it has."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable():
        return shlex.quote(text)
    escaped = "".join(chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in path)
    return f"$'{escaped}'"
