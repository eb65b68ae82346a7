"""Hooks that write down who ran them: what the application of a pair was told to do, in order."""

from __future__ import annotations

from fakes.agents import Fleet

NAMES = ("before_promote", "start", "after_promote", "before_demote", "stop", "after_demote", "on_fenced")


class HookLog:
    """Of all nodes of a fleet that does not run yet. ``extra``: more lines below ``[dataset.hooks]``."""

    def __init__(self, fleet: Fleet, extra: str = "") -> None:
        self._path = fleet.base / "hooks.log"
        self.clear()
        for agent in fleet.agents:
            agent.config.write_text(f"{agent.config.read_text()}[dataset.hooks]\n{self._hooks()}{extra}")

    def _hooks(self) -> str:
        words = 'name = ["sh", "-c", "echo $HIKAE_NODE name $HIKAE_EPOCH >> log"]\n'.replace("log", str(self._path))
        return "".join(words.replace("name", name) for name in NAMES)

    def clear(self) -> None:
        """Nothing has run yet."""
        self._path.write_text("")

    def ran(self, *of: str) -> list[str]:
        """``node hook epoch`` of each that began since, in order; ``of``: those hooks alone."""
        lines = self._path.read_text().splitlines()
        return [line for line in lines if not of or line.split()[1] in of]

    def started(self) -> dict[int, set[str]]:
        """By epoch, the nodes on which the application was begun as in that one: never two."""
        found: dict[int, set[str]] = {}
        for node, _, epoch in (line.split() for line in self.ran("start", "after_promote")):
            found.setdefault(int(epoch), set()).add(node)
        return found
