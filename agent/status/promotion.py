"""What a promotion of a standby would be: its gates, what it loses and how long it takes, as values and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.status.figures import stamp
from agent.status.text import shown

#: So many paths are named in the published state; ``count`` has how many there are.
_NAMED = 100
#: The gates that --force does not pass: there would be nothing whole to serve, unless a moment is named.
NEVER_FORCED = frozenset({"consistent", "hold"})
#: The gates behind which something stands elsewhere, or stood, that a promotion by force gives up.
_GIVES_UP = frozenset({"primary", "owed", "ahead"})
#: A loss of fewer seconds than that is as good as any other such.
_LITTLE = 8
_NO_DIGITS = str.maketrans("", "", "0123456789")


@dataclass(frozen=True, slots=True)
class Gate:
    """``name``: a public word; ``ok``: whether it is met; ``value``: what was found, ``limit``: what is asked for, for people;
    ``measured``: UTC ns when that was found, None while it never was; ``remedy``: what leads on where it is not met;
    ``or_moment``: whether an earlier moment that the operator names does as well, since only the newest commit is in the way."""

    name: str
    ok: bool
    value: str
    limit: str
    measured: int | None
    remedy: str
    or_moment: bool = False


def unmet(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Those that stand in the way."""
    return tuple(gate for gate in gates if not gate.ok)


@dataclass(frozen=True, slots=True)
class LossFacts:
    """What would be lost if the primary never came back. ``paths``: changes that it announced and that did not arrive, each with
    its size in bytes, the first of ``count``; ``bytes``: of all of these; ``seconds``: since it last said that nothing else was
    under way, and what it wrote after that nobody announced (None: it never said so)."""

    paths: tuple[tuple[bytes, int], ...] = ()
    count: int = 0
    bytes: int = 0
    seconds: float | None = None

    @property
    def any(self) -> bool:
        """Whether anything may be lost, as far as that is known."""
        return bool(self.count) or self.seconds is None or self.seconds > 0


@dataclass(frozen=True, slots=True)
class Rto:
    """How long a promotion would take, in milliseconds: the agent's ``own`` steps, and the operator's ``hooks``, None where they
    never ran here, so that nobody knows."""

    own: int
    hooks: int | None = None

    @property
    def ms(self) -> int:
        """All that is known of it."""
        return self.own + (self.hooks or 0)


@dataclass(frozen=True, slots=True)
class PromotionFacts:
    """What a promotion of this standby now would be. ``rto``: how long it would take, None: not known; ``commit``: the number of
    its newest one, 0: none."""

    gates: tuple[Gate, ...]
    loss: LossFacts = LossFacts()
    rto: Rto | None = None
    commit: int = 0

    @property
    def gives_up(self) -> bool:
        """Whether something may be lost: of what the primary wrote, what it writes while it lives, what another standby has, or
        content that is owed."""
        return self.loss.any or any(gate.name in _GIVES_UP for gate in unmet(self.gates))


def promotion_json(facts: PromotionFacts | None) -> dict[str, Any] | None:  # Any: JSON is a foreign edge
    """``{"gates", "loss": {"paths", "sizes", "count", "bytes", "seconds"}, "rto_ms", "rto_hooks_ms"}``: ``sizes`` are those of
    the ``paths``, in bytes, in their order; null on a node that keeps no standby."""
    if facts is None:
        return None
    return {
        "gates": [gate_json(gate) for gate in facts.gates],
        "loss": _loss(facts.loss),
        "rto_ms": facts.rto.ms if facts.rto is not None else None,
        "rto_hooks_ms": facts.rto.hooks if facts.rto is not None else None,
    }


def gate_json(gate: Gate) -> dict[str, Any]:
    """One gate, as status has it and a refusal too."""
    return {
        "name": gate.name,
        "ok": gate.ok,
        "value": shown(gate.value),
        "limit": shown(gate.limit),
        "measured": stamp(gate.measured),
        "remedy": shown(gate.remedy),
    }


def without_ages(promotion: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same without what every second changes: to tell whether anything else has changed."""
    if promotion is None:
        return None
    gates = [{**gate, "measured": None, "value": gate["value"].translate(_NO_DIGITS)} for gate in promotion["gates"]]
    seconds = promotion["loss"]["seconds"]
    rough = None if seconds is None else (int(seconds) // _LITTLE).bit_length()
    return {**promotion, "gates": gates, "loss": {**promotion["loss"], "seconds": rough}}


def _loss(loss: LossFacts) -> dict[str, Any]:
    return {
        "paths": [shown(path) for path, _ in loss.paths[:_NAMED]],
        "sizes": [size for _, size in loss.paths[:_NAMED]],
        "count": loss.count,
        "bytes": loss.bytes,
        "seconds": loss.seconds,
    }
