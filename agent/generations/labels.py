"""Labels: an operator's own words for a moment. Pure."""

from __future__ import annotations

import re

from agent.core.errors import UsageError
from agent.generations.local_time import is_like_a_time
from agent.status.text import shown
from agent.stream.messages import LABEL_MAX

#: What names a generation otherwise: a part of its name, or ``latest``.
_TAKEN = re.compile(r"\d{1,8}(T\d{0,6}(Z(-\d*)?)?)?|latest(~\d*)?", re.ASCII)


def check_label(operation: str, label: str) -> None:
    """Raises ``UsageError`` for a label that could not be told apart from a time or from the name of a generation, that does not
    print, or is too long. An empty one is none."""
    if label and (reason := _unfit(label)):
        raise UsageError(operation, shown(label), reason, 'write one like "before-upgrade"')


def _unfit(label: str) -> str:
    if is_like_a_time(label) or _TAKEN.fullmatch(label):
        return "a label must not look like a time, or like the name of a generation"
    if label != label.strip() or not label.isprintable():
        return "a label is printable text without spaces at its ends"
    if len(label.encode()) > LABEL_MAX:
        return f"a label has at most {LABEL_MAX} bytes"
    return ""
