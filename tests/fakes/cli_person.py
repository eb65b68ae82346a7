"""What tests of commands hand them: a person or nobody, ticks at once, and the shapes of their fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from agent.status.facts import NodeFacts


def twice(_seconds: float) -> Iterator[None]:
    """Two ticks at once instead of one a second."""
    yield
    yield


@dataclass(frozen=True)
class FakePerson:
    """Answers so; None: there is nobody."""

    answer: bool | None

    def can_be_asked(self) -> bool:
        return self.answer is not None

    def agrees(self, text: str) -> bool:
        click.echo(text, err=True)
        return bool(self.answer)


#: Runs a command line; exit code, stdout, stderr.
Hikae = Callable[..., tuple[int, str, str]]
#: The option that names a configuration whose agent published these facts.
Published = Callable[[NodeFacts], tuple[str, str]]
