"""What a promotion of this standby would be, in the long form: whether it may be, what stands in the way, and what it costs."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.status.figures import clock_text, count_text, size_text, span_text
from agent.status.published import Json

#: So many paths that would be lost are named.
_FIRST = 3
#: A gate that was looked at so long ago says when.
_OLD = timedelta(minutes=1)


def promotion_lines(status: Json, promotion: Json) -> list[tuple[str, str]]:
    """Labels and sentences."""
    gates = promotion["gates"]
    lacking = [gate for gate in gates if not gate["ok"]]
    met = "; ".join(_gate(status, gate) for gate in gates if gate["ok"])
    lines = [("promote", _may(gates, lacking))]
    lines += [("", _gate(status, gate) + (f"; {gate['remedy']}" if gate["remedy"] else "")) for gate in lacking]
    lines += [("", loss_text(promotion)), *(("", line) for line in _lost_lines(promotion["loss"]))]
    return [*lines, ("", f"met: {met}")] if met else lines


def _may(gates: list[Json], lacking: list[Json]) -> str:
    if not lacking:
        return f"all {len(gates)} gates are met"
    if [gate["name"] for gate in lacking] == ["primary"]:
        return f"{len(gates) - 1} of {len(gates)} gates are met; the last is that its primary is gone"
    return f"{len(gates) - len(lacking)} of {len(gates)} gates are met; in the way:"


def _gate(status: Json, gate: Json) -> str:
    measured = gate["measured"]
    old = measured and datetime.fromisoformat(status["clock"]) - datetime.fromisoformat(measured) > _OLD
    found = f", found {clock_text(measured, status['clock'])}" if old else ""
    return f"{gate['name']}: {gate['value']} (asked for: {gate['limit']}{found})"


def loss_text(promotion: Json) -> str:
    """What would be lost now, and how long it would take."""
    loss = promotion["loss"]
    if loss["seconds"] is None:
        lost = "what would be lost is not known"
    else:
        lost = f"at most the last {span_text(loss['seconds'])} would be lost"
    if loss["count"]:
        lost += f", and {_announced(loss)}"
    return lost + _takes(promotion["rto_ms"], promotion.get("rto_hooks_ms"))


def sized(path: str, size: int) -> str:
    """A path that would be lost; a size of 0 is one that nobody knows, or of nothing."""
    return f"{path} ({size_text(size)})" if size else path


def lost_paths(row: Json) -> list[str]:
    """What a change of role lost, each with its size where that is known."""
    sizes = [*row.get("lost_sizes", ()), *([0] * len(row["lost"]))]
    return [sized(str(path), size) for path, size in zip(row["lost"], sizes, strict=False)]


def _lost_lines(loss: Json) -> list[str]:
    """The first of what was announced and is not here."""
    paths = loss["paths"][:_FIRST]
    sizes = [*loss.get("sizes", ())[:_FIRST], *([0] * len(paths))]
    lines = [f"announced, and not here: {sized(path, size)}" for path, size in zip(paths, sizes, strict=False)]
    more = loss["count"] - len(paths)
    return [*lines, f"and {more:,} more: hikae promote --dry-run names them"] if lines and more else lines


def _announced(loss: Json) -> str:
    """Changes of which no path is known have no size that is known: a device's, or of a directory."""
    changes = count_text(loss["count"], "announced change")
    if loss["bytes"]:
        return f"{changes} ({size_text(loss['bytes'])})"
    return changes if loss["paths"] else f"{changes} of unknown size"


def _takes(rto_ms: int | None, hooks_ms: int | None) -> str:
    """``hooks_ms``: so much of it the operator's programs took last time; None: they never ran here."""
    if rto_ms is None:
        return ""
    about = f"; it would take about {span_text(rto_ms / 1000)}"
    if hooks_ms is None:
        return f"{about}, and the hooks, which never ran here"
    return f"{about}, {span_text(hooks_ms / 1000)} of it the hooks, as last time" if hooks_ms else about
