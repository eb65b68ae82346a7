"""What is said of a part of a device, where of a tree a path would be named."""

from __future__ import annotations


def bytes_words(start: int, end: int) -> bytes:
    """``bytes 65,536 to 131,072``; ``end`` is behind the last one."""
    return f"bytes {start:,} to {end:,}".encode()
