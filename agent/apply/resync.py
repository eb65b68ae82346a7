"""Giving up what is known of the standby's directory, so that another one, or another at its place, is taken instead."""

from __future__ import annotations

from agent.apply.checkpoint import STATE
from agent.apply.holds import PINNED
from agent.apply.owed_versions import SHORT
from agent.apply.standby.kept_problems import REMEMBERED
from agent.apply.standby.taken import forget_root
from agent.store.local import Local


def forget_standby(local: Local) -> None:
    """The next applier takes whatever directory stands at the standby's path: what equals in it is taken over, what does not
    is moved aside or written, and the rest comes from the vault. Not while one is at work.

    The root is forgotten last: cut short before, the standby is held as it was."""
    local.forget_objects()
    for key in (*STATE, PINNED, SHORT, REMEMBERED):
        local.set_value(key, b"")
    forget_root(local)
