"""An example of what each command of history answers, for ``docs/json.md``; a test of real agents compares their keys."""

from __future__ import annotations

import json
from typing import Any

_COMMIT = {"epoch": 3, "seq": 1842}
_DIGEST = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
_TIME = "2026-11-22T02:00:00.000000Z"
_NAME = "20261122T020000Z"
_LISTED = {
    "generation": _NAME,
    "node": "beta",
    "time": _TIME,
    "label": "before-release",
    "pinned": False,
    "entries": 149,
    "bytes": 80740352,
    "own_bytes": 1048576,
    "shared_bytes": 79691776,
    "consistency": "file-consistent",
    "incomplete": 0,
    "together": "",
}
_CHUNK = "9c" * 32
_FILLED = {"dataset": "web", "path": "/var/lib/hikae/datasets/web/vault", "lacking": 812, "obtainable": 800}
_INCOMPLETE = [{"generation": _NAME, "files": 2}]

#: By command line, without ``hikae`` and ``--json``.
ANSWERS: dict[str, Any] = {
    "mark web deploy": {"label": "deploy", "commit": _COMMIT, "time": _TIME},
    "generations take web": {
        "generation": _NAME,
        "commit": _COMMIT,
        "digest": _DIGEST,
        "consistency": "file-consistent",
        "stood_still_ms": 0.0,
        "note": "",
    },
    "generations list web": [_LISTED],
    "generations show web latest": {
        **_LISTED,
        "commit": _COMMIT,
        "digest": _DIGEST,
        "state_time": _TIME,
        "cause": "demand",
        "immutable_until": None,
        "stood_still_ms": 0.0,
        "note": "",
        "hooks": [],
        "lacking": [],
    },
    "generations pin web latest": {"generation": _NAME, "pinned": True},
    "generations expire web --dry-run": {
        "goes": [{"generation": _NAME, "why": "no rule keeps it", "label": ""}],
        "stays": [{"generation": "20261122T030000Z", "why": "hourly 1 of 24; daily 1 of 30", "label": ""}],
        "bytes": 1048576,
    },
    "generations expire web --simulate": {
        "schedule": "0 * * * *",
        "until": "2029-11-21T04:15:00.000000Z",
        "simulated": [{"time": "2029-11-21T04:00:00.000000Z", "why": "hourly 1 of 24; daily 1 of 30"}],
        "more": False,
    },
    "generations collect web --dry-run": {
        "since": _TIME,
        "dropped": {"packs": 1, "bytes": 1048576},
        "rewritten": {"packs": 2, "bytes": 4194304},
        "written": 524288,
        "bytes": 5242880,
    },
    "generations collect web": {"chunks": 61, "bytes": 3145728, "packs": 3, "written": 524288},
    "generations verify web": {
        "checked_bytes": 80740352,
        "damaged": [
            {"chunk": _CHUNK, "reason": "it is torn", "paths": ["etc/a"], "generations": [_NAME], "mended": True}
        ],
    },
    "generations diff web latest": {
        "from": _NAME,
        "from_commit": _COMMIT,
        "from_sentence": f"generation {_NAME} as of Sun 2026-11-22 02:00:00 UTC, commit 3.1842",
        "to": "2026-11-22T04:14:59.000000Z",
        "to_commit": {"epoch": 3, "seq": 1900},
        "to_sentence": "the state as of Sun 2026-11-22 04:14:59 UTC, commit 3.1900",
        "added": 0,
        "changed": 1,
        "moved": 0,
        "deleted": 0,
        "entries": [
            {
                "what": "changed",
                "path": "etc/a",
                "kind": "file",
                "bytes": 1200,
                "bytes_before": 1100,
                "differs": ["content", "mtime"],
            }
        ],
        "more": 0,
    },
    "find web etc/a": [
        {
            "path": "etc/a",
            "first": _TIME,
            "last": "2026-11-22T04:14:59.000000Z",
            "versions": 1,
            "deleted": None,
            "kind": "file",
            "bytes": 1100,
            "node": "beta",
            "history": [
                {
                    "first": _TIME,
                    "last": "2026-11-22T04:14:59.000000Z",
                    "kind": "file",
                    "bytes": 1100,
                    "mtime": "2026-11-22T01:58:00.000000Z",
                    "differs": [],
                    "generation": _NAME,
                    "at": None,
                    "command": f"hikae restore web --generation {_NAME} --from beta --to FILE etc/a",
                }
            ],
        }
    ],
    "restore web --generation latest --to DIR": {
        "moment": _NAME,
        "time": _TIME,
        "label": "before-release",
        "dataset": "web",
        "commit": _COMMIT,
        "entries": 149,
        "bytes": 80740352,
        "written_bytes": 80740352,
        "verified": 80740352,
        "target": "/srv/brought-back",
        "unmade": [],
        "incomplete": [],
        "displaced": 0,
        "unmade_count": 0,
        "incomplete_count": 0,
    },
    "rollback web --generation latest --dry-run": {
        "dataset": "web",
        "moment": f"generation {_NAME} as of Sun 2026-11-22 02:00:00 UTC, commit 3.1842",
        "node": "beta",
        "generation": _NAME,
        "commit": _COMMIT,
        "time": _TIME,
        "entries": 149,
        "bytes": 80740352,
        "incomplete": 0,
        "gates": [{"name": "writers", "ok": True, "value": "none", "limit": "none", "measured": None, "remedy": ""}],
        "steps": ["stop", "writers", "barrier", "generation", "commit", "converge", "walk", "start"],
    },
    "rollback web --generation latest --yes": {
        "dataset": "web",
        "epoch": 3,
        "role": "primary",
        "rto_ms": 412,
        "lost": [],
        "lost_sizes": [],
        "generation_before": "20261122T041500Z",
        "steps": [{"name": "converge", "ms": 230, "result": "12 entries"}],
    },
    "resync web --vault --dry-run": {**_FILLED, "restored": 0, "left": 0, "incomplete": _INCOMPLETE},
    "resync web --vault --yes": {**_FILLED, "restored": 800, "left": 0, "incomplete": _INCOMPLETE},
    "resync web --standby --yes": {"dataset": "web", "path": "/srv/web"},
}


def page() -> str:
    """The examples, each below its command."""
    return "\n".join(
        f"`hikae {command} --json`:\n\n```json\n{json.dumps(answer, indent=2)}\n```\n"
        for command, answer in ANSWERS.items()
    )


def other_keys(example: Any, found: Any, at: str = "") -> list[str]:
    """Where an answer has other keys than its example, or another kind of value; what is null or empty in one of them tells
    nothing."""
    if example is None or found is None:
        return []
    if isinstance(example, dict) and isinstance(found, dict):
        differ = [f"{at}.{key}" for key in sorted(example.keys() ^ found.keys())]
        return differ + [
            one
            for key in sorted(example.keys() & found.keys())
            for one in other_keys(example[key], found[key], f"{at}.{key}")
        ]
    if isinstance(example, list) and isinstance(found, list):
        return [one for other in found[:1] for one in other_keys(example[0], other, f"{at}[]")] if example else []
    numbers = (int, float)
    is_alike = type(example) is type(found) or (isinstance(example, numbers) and isinstance(found, numbers))
    return [] if is_alike else [at]
