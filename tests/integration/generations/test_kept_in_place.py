"""A restore in place keeps what stands: with any number of standbys, said at once, and told apart from what it half wrote."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.cli.context import Context
from agent.cli.history.restore_command import restore
from agent.core.errors import Refused
from fakes.agents import UNBRAKED, Agent, Fleet, fleet, pair
from fakes.eventually import eventually
from fakes.proxy import proxy

IN_PLACE = ("--in-place", "--yes")
#: Bytes of what is brought back, and so many a second that the wire lets pass: it takes half a minute.
_LARGE, _SLOW = 4 << 20, 130_000.0


@dataclass
class _Person:
    """Answers so, one question after the other."""

    answers: list[bool]

    def can_be_asked(self) -> bool:
        """See ``Person``."""
        return True

    def agrees(self, _text: str) -> bool:
        """See ``Person``."""
        return self.answers.pop(0)


def _was_and_is(made: Fleet, keeps: str = "beta", size: int = 5) -> Path:
    """The file of the dataset, which was ``size`` random bytes in the generation "was" of ``keeps`` and is a word now."""
    file = made.datasets["web"].paths["alpha"] / "file"
    file.write_bytes(os.urandom(size))
    made.begin()
    made[keeps].json("generations", "take", "web", "--label", "was")
    file.write_text("as it stands")
    made["alpha"].wait()
    return file


def _kept(agent: Agent, name: str, to: Path) -> str:
    """What a generation has of the file."""
    agent.json("restore", "web", "--generation", name, "--to", str(to))
    return (to / "file").read_text()


def _typed(agent: Agent, words: str) -> int:
    """How many events say that an operator typed so."""
    return sum(one["code"] == "operator" and f"typed: {words}" in one["message"] for one in agent.json("events"))


def test_with_two_standbys_the_one_that_is_read_keeps_it_and_a_dead_one_costs_nothing(tmpfs_dir: Path) -> None:
    """Whichever comes first in the configuration. Where nothing is sent it is said why, and what was typed is done only where
    that is still meant."""
    with fleet("alpha", "beta", "gamma", extra=UNBRAKED) as three:
        alpha, beta, gamma = three.agents
        file = _was_and_is(three, "gamma")
        was = ("restore", "web", "--generation", "was", "--from", "gamma", *IN_PLACE)
        done: dict[str, Any] = alpha.json(*was)
        assert (5, None, None) == (file.stat().st_size, done["not_kept"], done["generation_resumed"])
        assert "as it stands" == _kept(gamma, done["generation_before"], tmpfs_dir / "first")
        alpha.json("pause", "web", "--send")
        file.write_text("kept by nobody")
        said = alpha.run(*was, "--json")
        assert 0 == said.returncode, said.stderr
        done = json.loads(said.stdout)
        assert (None, True) == (done["generation_before"], "sending to gamma is paused" in done["not_kept"])
        assert "no generation keeps what stands now: sending to gamma is paused until it is resumed" in said.stderr
        assert "to mend that: hikae resume web" in said.stderr
        assert "it is written over nevertheless, since --yes was given" in said.stderr
        file.write_text("kept by nobody")
        person = _Person([True, False])
        with pytest.raises(Refused, match=r"not confirmed; nothing was changed; hikae resume web"):
            restore.main([*was[1:-1]], standalone_mode=False, obj=Context(str(alpha.config), person=person))
        assert ([], "kept by nobody") == (person.answers, file.read_text())
        alpha.json("resume", "web")
        beta.kill()
        file.write_text("as it stands again")
        done = alpha.json(*was)
        assert "as it stands again" == _kept(gamma, done["generation_before"], tmpfs_dir / "second")


def test_one_that_was_cut_off_names_what_was_kept_first(tmpfs_dir: Path) -> None:
    """Its name is said before anything is written; the same command again names the same, and what was half restored apart from
    it. That the standby took one a moment ago makes no event each second."""
    with pair(UNBRAKED) as both, proxy(both.beta.port) as wire:
        both.reach_beta_through(wire.port)
        file = _was_and_is(both, size=_LARGE)
        was = ("restore", "web", "--generation", "was", "--from", "beta", *IN_PLACE)
        wire.throttle(_SLOW)
        command = both.alpha.typed(*was)
        assert command.stdout is not None
        line = next(line for line in command.stdout if "what stands now is kept as generation" in line)
        (first,) = (word for word in line.split() if word.startswith("20"))
        # It has begun to make things, beside the record.
        eventually(lambda: [one for one in file.parent.glob(".hikae/restore/*") if one.is_dir()])
        command.send_signal(signal.SIGINT)
        said, _ = command.communicate(timeout=60)
        assert (True, True) == (command.returncode != 0, f"what stood there is generation {first}" in said), said
        wire.throttle(None)
        file.write_text("half restored")
        again: dict[str, Any] = both.alpha.json(*was)
        assert (_LARGE, first, None) == (file.stat().st_size, again["generation_before"], again["not_kept"])
        assert "as it stands" == _kept(both.beta, first, tmpfs_dir / "first")
        assert "half restored" == _kept(both.beta, again["generation_resumed"], tmpfs_dir / "resumed")
        assert (2, True) == (_typed(both.alpha, "restore web"), _typed(both.beta, "generations take web (note=") <= 3)
