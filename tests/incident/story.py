"""The incident, from a healthy pair to a healthy pair: each step types what an operator types, and keeps what was answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.core.errors import Exit
from fakes.agents import Agent
from fakes.eventually import eventually
from incident.numbers import Client, Covering
from incident.servers import DATASET, Servers

_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """``rate``: writes a second at most; ``before``, ``after``: so many are confirmed before a change of role, and after it."""

    rate: float = 50.0
    before: int = 500
    after: int = 250


@dataclass(frozen=True, slots=True)
class Said:
    """A step: its ``title``, and what was typed and answered, line by line."""

    title: str
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What the client and the operator saw, in seconds but where said otherwise.

    ``missing``: covered numbers that the new primary's Redis had not; ``lost``: numbers that were confirmed and not covered, and
    are gone; ``lost_after``: numbers of beta's reign that alpha lacks after the switchover."""

    steps: list[Said] = field(default_factory=list)
    times: list[tuple[str, str]] = field(default_factory=list)
    covered: int = 0
    waits: int = 0
    missing: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    predicted_loss: float = 0.0
    predicted_rto: float = 0.0
    promoted: float = 0.0
    rejoined: float = 0.0
    client_after_promote: float = 0.0
    client_at_switchover: float = 0.0
    lost_after: list[int] = field(default_factory=list)


class Story:
    """One run of it. ``show``: is given each line as it comes."""

    def __init__(self, made: Servers, load: Load, show: Callable[[str], None] = lambda _: None) -> None:
        self._made = made
        self._load = load
        self._show = show
        self._primary = made.alpha
        self.outcome = Outcome()

    def tell(self) -> Outcome:
        """From the first start to the switchover back."""
        self._begin()
        client = Client(self._made.write(self._load.rate))
        covering = Covering(client, DATASET, lambda: self._primary)
        covering.start()
        try:
            self._work(client, covering)
            killed = self._kill(client, covering)
            self._promote(client, covering, killed)
            self._rejoin(client)
            self._switch_over(client, covering)
        finally:
            covering.stop()
        return self.outcome

    def _begin(self) -> None:
        self._step("Two servers, and HAProxy before them")
        self._made.fleet.start()
        for agent in self._made.fleet.agents:
            agent.up()
        self._until(self._made.beta, lambda one: one.get("state") == "streaming")
        self._until(self._made.beta, _is_ready)
        self._made.balance()
        self._type(self._made.beta, "status")

    def _work(self, client: Client, covering: Covering) -> None:
        self._step("A client writes")
        client.writes_more(self._load.before)
        covering.covers_more()
        self._type(self._made.alpha, "wait", DATASET, "--durable")
        self._type(self._made.beta, "promote", DATASET, "--dry-run")
        said = self._made.beta.look(DATASET)["promotion"]
        self.outcome.predicted_loss = said["loss"]["seconds"]
        self.outcome.predicted_rto = said["rto_ms"] / 1000

    def _kill(self, client: Client, covering: Covering) -> float:
        """The moment at which alpha was dead."""
        self._step("alpha dies under load: hikae, Redis, all that runs there is killed at once")
        self._made.dies("alpha")
        killed = time.monotonic()
        self._primary = self._made.beta
        eventually(lambda: client.errors(killed, time.monotonic()) > 0, _PATIENCE)
        self._note(f"{client.confirmed():,} numbers were confirmed by Redis, {covering.upto:,} of them by a wait")
        return killed

    def _promote(self, client: Client, covering: Covering, killed: float) -> None:
        self._step("beta is promoted")
        confirmed, covered = client.confirmed(), covering.upto
        typed = time.monotonic()
        self._type(self._made.beta, "promote", DATASET, "--yes", "--reason", "alpha is dead")
        self.outcome.promoted = time.monotonic() - typed
        client.writes_more(self._load.after)
        self.outcome.client_after_promote = client.first_after(typed)
        # The client goes on with the number that it was at, so that what is lower was alpha's.
        gone = self._made.missing("beta", confirmed)
        self.outcome.covered, self.outcome.waits = covered, covering.waits
        self.outcome.missing = [number for number in gone if number < covered]
        self.outcome.lost = [number for number in gone if number >= covered]
        self._note(
            f"Redis on beta has all {covered:,} that were covered"
            if not self.outcome.missing
            else f"Redis on beta LACKS {len(self.outcome.missing):,} of {covered:,} that were covered"
        )
        self._note(f"confirmed by Redis on alpha, covered by no wait, and gone: {_listed(self.outcome.lost)}")
        self._time("the client was confirmed nothing, from the kill on", client.first_after(killed))
        self._time("of that, from the promote typed on", self.outcome.client_after_promote)
        self._time("promote, until the command returned", self.outcome.promoted)
        self._time("promote, as its steps count, the start hook too", self._of_steps(self._made.beta))
        self._time(
            "promote, as status had predicted it, without that hook, which had never run there",
            self.outcome.predicted_rto,
        )

    def _rejoin(self, client: Client) -> None:
        self._step("alpha comes back")
        alpha = self._made.alpha
        alpha.start()
        alpha.up()
        self._until(alpha, lambda one: one.get("state") == "fenced")
        self._type(alpha, "status", DATASET)
        typed = time.monotonic()
        self._type(alpha, "rejoin", DATASET, "--yes")
        self._until(alpha, lambda one: one.get("role") == "standby" and one.get("state") in ("seeding", "streaming"))
        self._made.beta.wait("applied", _PATIENCE, DATASET)
        self.outcome.rejoined = time.monotonic() - typed
        self._until(alpha, _is_ready)
        self._type(alpha, "generations", "list", DATASET)
        self._time("rejoin, until alpha has all again", self.outcome.rejoined)
        client.writes_more(self._load.after)

    def _switch_over(self, client: Client, covering: Covering) -> None:
        self._step("Back to alpha")
        typed = time.monotonic()
        # Whichever is asked answers of itself alone; the client's errors are what counts.
        self._type(self._made.alpha, "switchover", DATASET, "--yes")
        self._primary = self._made.alpha
        client.writes_more(self._load.after)
        covering.covers_more()
        self.outcome.client_at_switchover = client.longest_gap(typed)
        gone = self._made.missing("alpha", client.confirmed())
        self.outcome.lost_after = [number for number in gone if number not in self.outcome.lost]
        self._type(self._made.alpha, "roles", DATASET)
        self._type(self._made.alpha, "status")
        self._note(
            "Redis on alpha has every number that was confirmed since the promote"
            if not self.outcome.lost_after
            else f"Redis on alpha LACKS {_listed(self.outcome.lost_after)}"
        )
        self._time("the client was confirmed nothing at the switchover", self.outcome.client_at_switchover)

    def _of_steps(self, agent: Agent) -> float:
        """How long the steps of the last change took."""
        changes: list[dict[str, Any]] = agent.json("roles", DATASET)
        last = max(changes, key=lambda one: str(one["time"]))
        return float(sum(step["ms"] for step in last["steps"])) / 1000

    def _until(self, agent: Agent, so: Callable[[dict[str, Any]], object]) -> None:
        eventually(lambda: so(agent.look(DATASET)), _PATIENCE)

    def _type(self, agent: Agent, *words: str) -> None:
        """A command on a host. What is refused is said as well; what fails ends the run."""
        done = agent.run(*words)
        self._say(f"{agent.name}$ hikae {' '.join(_quoted(word) for word in words)}")
        for line in (done.stdout + done.stderr).rstrip().splitlines():
            self._say(line)
        assert done.returncode in (Exit.DONE, Exit.REFUSED), (words, done.returncode, done.stderr, agent.tail())

    def _step(self, title: str) -> None:
        self.outcome.steps.append(Said(title))
        self._show(f"\n--- {title}")

    def _say(self, line: str) -> None:
        self.outcome.steps[-1].lines.append(line)
        self._show(line)

    def _note(self, line: str) -> None:
        self._say(f"# {line}")

    def _time(self, what: str, seconds: float) -> None:
        self.outcome.times.append((what, f"{seconds:.2f} s"))


def _is_ready(dataset: dict[str, Any]) -> bool:
    """Whether it could take over, but that its primary lives."""
    gates = (dataset.get("promotion") or {}).get("gates") or [{"ok": False, "name": "none"}]
    return all(gate["ok"] for gate in gates if gate["name"] != "primary")


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def _listed(numbers: list[int]) -> str:
    if not numbers:
        return "none"
    return f"{len(numbers):,} ({numbers[0]} to {numbers[-1]})"
