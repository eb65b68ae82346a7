"""What anybody on the machine may read: the published value with counts and states, and no name of a file.

Paths below a directory of mode 0700 are nobody else's business; neither are sentences that may quote one. So only words of the
agent's own, and names that the configuration gives, are passed on; whatever key comes later is counted until it stands here.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from agent.status.published import Json

PUBLIC, FULL = "state.json", "state-full.json"

#: Keys whose texts are the agent's own words, moments, or names of nodes and datasets.
_WORDS = frozenset(
    {
        *("node", "version", "name", "kind", "group", "role", "primary", "standbys", "state", "mode", "phase", "code"),
        *(
            "severity",
            "limited_by",
            "digest",
            "time",
            "since",
            "until",
            "waits_until",
            "full_at",
            "last_reconcile",
            "what",
            "step",
            "clock",
        ),
        *("received", "applied", "said", "reaches", "oldest", "newest"),
        *("send", "apply", "receive"),
        *("measured", "limit"),
    }
)
#: Lists that are told by their lengths.
_LISTED = frozenset({"differences", "lost", "paths", "sizes"})
#: Gates of a promotion whose sentences are the agent's own words and figures; those of others may quote a path.
_PLAIN_GATES = frozenset(
    {"consistent", "owed", "lag", "verified", "primary", "ahead", "clock", "seeding", "rehearsed", "reverse-connection"}
)
_WHOLE = "sudo hikae status says which"
_HELD = "an operator is asked"


def public_json(value: Json) -> Json:
    """The value without what only root and the group ``hikae`` may read. Pure."""
    made: Json = {key: _without_names(key, one) for key, one in value.items()}
    made["problems"] = _counted(value["problems"], {})
    for dataset, whole in zip(made["datasets"], value["datasets"], strict=True):
        dataset["problems"] = _counted(whole["problems"], whole.get("uncounted") or {})
        dataset["uncounted"] = {}
        if whole.get("promotion"):
            dataset["promotion"]["gates"] = [_gate(gate) for gate in whole["promotion"]["gates"]]
        for holder in (dataset, *dataset["peers"]):
            if holder["hold"] is not None:
                holder["hold"] = {**holder["hold"], "sentence": f"{holder['hold']['code']}, {_HELD}", "remedy": _WHOLE}
    return made


# A JSON value in, one out: any of its kinds.
def _without_names(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {inner: _without_names(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        return len(value) if key in _LISTED else [_without_names(key, one) for one in value]
    return "" if isinstance(value, str) and key not in _WORDS else value


def _gate(gate: Json) -> Json:
    if gate["name"] in _PLAIN_GATES:
        return gate
    hidden = "met" if gate["ok"] else "not met"
    return {**gate, "value": hidden, "limit": "", "remedy": "" if gate["ok"] else _WHOLE}


def _counted(problems: list[Json], uncounted: dict[str, int]) -> list[Json]:
    """One problem for each code and severity, with how many there are."""
    counts = Counter((one["code"], one["severity"]) for one in problems)
    since: dict[tuple[str, str], str] = {}
    for one in problems:
        kind = one["code"], one["severity"]
        since[kind] = min(since.get(kind, one["since"]), one["since"])
    return [
        {
            "code": code,
            "severity": severity,
            "since": since[code, severity],
            "path": "",
            "count": count + uncounted.get(code, 0),
            "message": f"{code} ({count + uncounted.get(code, 0):,})",
            "remedy": _WHOLE,
        }
        for (code, severity), count in counts.items()
    ]
