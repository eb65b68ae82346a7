"""The end of what takes long: a converge, a large file, a verify. Each can be ended at any step, and is done again later."""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.core.errors import TryAgain


class ApplyStopped(TryAgain):
    """The agent stops: what was going on is given up where it stood, and looked at again at the next start."""

    def __init__(self) -> None:
        super().__init__("apply", "", "the agent is stopping", "it goes on at the next start")


class Ending:
    """Whether it is time to end. Thread-safe; :meth:`look` costs next to nothing until then."""

    def __init__(self) -> None:
        self._at: float | None = None

    def begin(self, grace: float) -> None:
        """The end is in ``grace`` seconds: work that can be finished until then is finished. The first call counts."""
        if self._at is None:
            self._at = time.monotonic() + grace

    def look(self) -> None:
        """To be called at every step of what may take long. Raises ``ApplyStopped``."""
        if self._at is not None and time.monotonic() >= self._at:
            raise ApplyStopped

    def before(self, step: Callable[[str], None]) -> Callable[[str], None]:
        """``step`` (see ``apply.output.directory``), which looks for the end first."""

        def looked(what: str) -> None:
            self.look()
            step(what)

        return looked
