"""``hikae check``: one line and a code for monitoring systems (the Nagios plug-in convention)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from agent.core.problem_codes import DISCONNECTED, NOT_PRIMARY, NOT_STANDBY
from agent.status.figures import span_text
from agent.status.published import Json
from agent.status.sentences import detail, left_behind, problem_text, said_now, so_far, sorted_datasets
from agent.status.state import Grade, Role, State, grade_of
from agent.status.text import shown


class Plugin(IntEnum):
    """The codes that monitoring systems know."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class LagLimits:
    """Seconds of lag from which on a dataset is a warning, or critical; None: at no lag."""

    warning: float | None = None
    critical: float | None = None


#: Why a peer is not connected; whoever may not read names is told the code alone.
_WHY_AWAY = frozenset({DISCONNECTED, NOT_STANDBY, NOT_PRIMARY})
#: So many datasets are named, worst first: monitoring systems take some thousand bytes of a line.
_NAMED = 10


def check_line(status: Json, name: str | None = None, limits: LagLimits = LagLimits()) -> tuple[str, int]:
    """The line, with lags as performance data, and its code; of all datasets, or of the one of that name. UNKNOWN without any."""
    datasets = [one for one in sorted_datasets(status) if name in (None, one["name"])]
    if not datasets:
        known = ", ".join(one["name"] for one in status["datasets"])
        return unknown_line(
            f"there is no dataset {name}: this node knows {known}" if known else "no datasets are configured"
        )
    code = max([_code(status, dataset, limits) for dataset in datasets] + [_problem_code(status)])
    graded = [(one, _code(status, one, limits)) for one in datasets]
    bad = sorted((pair for pair in graded if pair[1] is not Plugin.OK), key=lambda pair: -pair[1])
    words = [f"{one['name']} {one['state']}" + _why(status, one, limits) for one, _ in bad[:_NAMED]]
    if len(bad) > _NAMED:
        words.append(f"and {len(bad) - _NAMED:,} more: hikae status")
    if _problem_code(status) is not Plugin.OK:
        words.insert(0, problem_text(status))
    if not words:
        count = len(datasets)
        names = [*(one["name"] for one in datasets[:_NAMED]), *([f"{count - _NAMED:,} more"] if count > _NAMED else [])]
        words = [f"{count} dataset{'' if count == 1 else 's'}: {', '.join(names)}"]
    return f"HIKAE {code.name} - {_text('; '.join(words))}{_performance(status, datasets, limits)}", int(code)


def dead_line(reason: str) -> tuple[str, int]:
    """The answer when no agent runs here, or it hangs: nothing is replicated."""
    return f"HIKAE {Plugin.CRITICAL.name} - {_text(reason)}", int(Plugin.CRITICAL)


def unknown_line(reason: str) -> tuple[str, int]:
    """The answer when nothing can be said."""
    return f"HIKAE {Plugin.UNKNOWN.name} - {_text(reason)}", int(Plugin.UNKNOWN)


def _text(words: str) -> str:
    """Printable, and without the sign behind which monitoring systems read figures: names of files, and peers, may hold any."""
    return shown(words).replace("|", "\\x7c")


def _code(status: Json, dataset: Json, limits: LagLimits) -> Plugin:
    known = left_behind(dataset)
    grade = Grade.WATCH if known else grade_of(State(dataset["state"]))
    by_state = {Grade.GOOD: Plugin.OK, Grade.WATCH: Plugin.WARNING, Grade.BAD: Plugin.CRITICAL}[grade]
    return max(by_state, _problem_code(dataset, known), _lag_code(lag_now(status, dataset), limits))


def _lag_code(lag: float | None, limits: LagLimits) -> Plugin:
    if lag is not None and limits.critical is not None and lag >= limits.critical:
        return Plugin.CRITICAL
    return Plugin.WARNING if lag is not None and limits.warning is not None and lag >= limits.warning else Plugin.OK


def lag_now(status: Json, dataset: Json) -> float | None:
    """Seconds: the greatest lag of its peers; of one that is away, how old the last thing is that it has applied."""
    lags = [one for one in (_lag_of(status, peer) for peer in dataset["peers"]) if one is not None]
    return max(lags, default=None)


def _lag_of(status: Json, peer: Json) -> float | None:
    measured: float | None = peer["lag_seconds"]
    if peer["connected"] or not peer["applied"]:
        return measured
    away = datetime.fromisoformat(status["clock"]) - datetime.fromisoformat(peer["applied"])
    return max(away.total_seconds(), measured or 0.0)


def _applied_lag(status: Json, dataset: Json) -> float | None:
    """Seconds since what is applied stood on the primary, as far as this node knows: there, of the standby that is furthest back;
    on a standby since the first commit was made that it has and its tree has not: how old the one is that the tree equals says
    nothing, as nobody may have written for hours. None: not known, of one of them, or of a part in a first sync."""
    if dataset["role"] == Role.PRIMARY:
        moments = [peer["applied"] for peer in dataset["peers"]]
    elif dataset.get("first_sync"):
        moments = []
    else:
        applied, newest = dataset["applied"] or {}, dataset["commit"] or {}
        if applied and (applied["epoch"], applied["seq"]) == (newest.get("epoch"), newest.get("seq")):
            # While nobody writes its age says nothing; the promotion knows what is not here.
            lost: float | None = ((dataset.get("promotion") or {}).get("loss") or {}).get("seconds")
            return lost
        moments = [applied.get("until") or applied.get("time")]
    if not moments or None in moments:
        return None
    clock = datetime.fromisoformat(status["clock"])
    return max((clock - min(map(datetime.fromisoformat, moments))).total_seconds(), 0.0)


def _problem_code(holder: Json, known: Collection[str] = ()) -> Plugin:
    """``known``: the peers that are away, all by somebody's decision: why they are is no news."""
    passed = _WHY_AWAY if known else ()
    severities = {one["severity"] for one in holder["problems"] if one["code"] not in passed}
    said = said_now(holder)
    if "error" in severities or any(peer["errors"] for peer in said):
        return Plugin.CRITICAL
    return Plugin.WARNING if "warning" in severities or any(peer["warnings"] for peer in said) else Plugin.OK


def _why(status: Json, dataset: Json, limits: LagLimits) -> str:
    lag = lag_now(status, dataset)
    late = "" if lag is None or _lag_code(lag, limits) is Plugin.OK else f"lag {span_text(lag)}"
    words = ", ".join(part for part in (late, detail(status, dataset)) if part)
    return f" ({words})" if words else ""


def _performance(status: Json, datasets: list[Json], limits: LagLimits) -> str:
    """``'LABEL'=VALUE[UNIT];WARNING;CRITICAL;LEAST``, as the plug-in convention has it."""
    bounds = ";".join("" if one is None else f"{one:g}" for one in (limits.warning, limits.critical))
    figures = []
    for dataset in datasets:
        lag = lag_now(status, dataset)
        if lag is not None:
            figures.append(f"{dataset['name']}_lag={lag:.3f}s;{bounds};0")
        late = _applied_lag(status, dataset)
        if late is not None:
            figures.append(f"{dataset['name']}_apply_lag={late:.3f}s;;;0")
        if dataset["peers"] and dataset["role"] == Role.PRIMARY and not any(map(so_far, dataset["peers"])):
            behind = max(peer["behind_bytes"] for peer in dataset["peers"])
            figures.append(f"{dataset['name']}_behind={behind}B;;;0")
        figures += [f"{dataset['name']}_{label}={figure};;;0" for label, figure in _looked_at(status, dataset)]
    return f" | {' '.join(sorted(figures))}" if figures else ""


def _looked_at(status: Json, dataset: Json) -> Iterator[tuple[str, str]]:
    """When what stands on this node was last proven, and with what result: the standby, the vault, and that it would serve.
    What a peer keeps is told there."""
    vault = dataset.get("vault") or {}
    verified = (vault.get("verified") or {}) if vault.get("said") is None else {}
    last_look, verify, rehearsal = verified.get("last"), dataset.get("last_verify"), dataset.get("last_rehearsal")
    if verify:
        yield "verify_age", _age(status, verify["time"])
        yield "verify_differences", str(verify["differences"])
    if last_look:
        yield "vault_verify_age", _age(status, last_look["time"])
        yield "vault_damaged", str(verified["damaged"])
    if verified.get("since"):
        yield "vault_all_verified_age", _age(status, verified["since"])
    if rehearsal:
        yield "rehearsal_age", _age(status, rehearsal["time"])
        yield "rehearsal_failed", str(int(not rehearsal["ok"]))


def _age(status: Json, moment: str) -> str:
    """Seconds since then."""
    age = datetime.fromisoformat(status["clock"]) - datetime.fromisoformat(moment)
    return f"{max(age.total_seconds(), 0.0):.0f}s"
