"""How foreign bytes and text are shown: on terminals, in logs, in errors and in JSON.

A file name can hold anything but ``/`` and NUL, and what another node sends can hold anything at all; neither may move
a cursor, hide a line or forge a log record."""

from __future__ import annotations

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(value: bytes | str) -> str:
    """``value`` as one line of printable text.

    Bytes are read as UTF-8; what is not UTF-8 and every character that does not print (controls, separators other than
    space, directional overrides, surrogates) becomes ``\\n``, ``\\xNN``, ``\\uNNNN`` or ``\\UNNNNNNNN``. A backslash
    stays as it is: the result is for reading, and showing it again changes nothing."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def shown_lines(value: str) -> str:
    """As :func:`shown`, but line ends stay: for tracebacks and other text that is meant to have lines."""
    return "\n".join(shown(line) for line in value.split("\n"))


def _escaped(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
