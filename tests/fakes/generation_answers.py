"""What an agent that is not there answers about generations."""

from __future__ import annotations

from agent.operations.declaration import Json
from agent.operations.generations import (
    GenerationsListRequest,
    GenerationsPinRequest,
    GenerationsShowRequest,
    GenerationsTakeRequest,
    GenerationsUnpinRequest,
)
from agent.operations.marking import MarkRequest

NAME = "20261122T031500Z"
#: One as it is listed.
LISTED: Json = {
    "generation": NAME,
    "node": "beta",
    "time": "2026-11-22T03:15:00.000000Z",
    "label": "before the upgrade of everything",
    "pinned": True,
    "entries": 1_234_567,
    "bytes": 5 << 30,
    "own_bytes": None,
    "consistency": "file-consistent",
    "incomplete": 2,
}
SHOWN: Json = {
    "commit": {"epoch": 3, "seq": 1842},
    "digest": "ab" * 32,
    "state_time": "2026-11-22T03:14:59.000000Z",
    "cause": "demand",
    "immutable_until": "2026-11-29T03:15:00.000000Z",
    "stood_still_ms": 12.5,
    "note": "the newest commit that was here: beta is asleep",
    "hooks": ["before_freeze: done"],
}


class GenerationAnswers:
    """Part of ``FakeControls``. ``listed``: the generations that there are; ``note``: of one that is taken."""

    listed: tuple[Json, ...] = (LISTED,)
    note = ""

    def _mark(self, request: MarkRequest) -> Json:
        commit = {"epoch": 3, "seq": 1842}
        return {"label": request.label, "commit": commit, "time": "2026-11-22T03:15:00.000000Z"}

    def _generations_list(self, _request: GenerationsListRequest) -> list[Json]:
        return list(self.listed)

    def _generations_show(self, _request: GenerationsShowRequest) -> Json:
        return {**LISTED, **SHOWN}

    def _generations_take(self, _request: GenerationsTakeRequest) -> Json:
        kept = {"generation": NAME, "commit": {"epoch": 3, "seq": 1842}, "digest": "ab" * 32}
        return {**kept, "consistency": "file-consistent", "stood_still_ms": 0.0, "note": self.note}

    def _generations_pin(self, _request: GenerationsPinRequest) -> Json:
        return {"generation": NAME, "pinned": True}

    def _generations_unpin(self, _request: GenerationsUnpinRequest) -> Json:
        return {"generation": NAME, "pinned": False}
