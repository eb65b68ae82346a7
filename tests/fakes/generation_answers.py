"""What an agent that is not there answers about generations."""

from __future__ import annotations

from agent.operations.declaration import Json
from agent.operations.elsewhere.offline import GenerationsTakeOfflineRequest
from agent.operations.generations import (
    GenerationsExpireRequest,
    GenerationsListRequest,
    GenerationsPinRequest,
    GenerationsShowRequest,
    GenerationsTakeRequest,
    GenerationsUnpinRequest,
)
from agent.operations.grouped.taking import GenerationsTakeGroupRequest
from agent.operations.marking import MarkRequest
from agent.operations.upkeep.checking import GenerationsVerifyRequest
from agent.operations.upkeep.collecting import GenerationsCollectRequest

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
    "own_bytes": 1 << 20,
    "shared_bytes": 4 << 30,
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
    "lacking": [],
}


class GenerationAnswers:
    """Part of ``FakeControls``. ``listed``: the generations that there are; ``note``: of one that is taken; ``lacking``: of one
    that is shown; ``going``: those that no rule keeps; ``damaged``: what a look at all chunks finds."""

    listed: tuple[Json, ...] = (LISTED,)
    note = ""
    lacking: tuple[str, ...] = ()
    damaged: tuple[Json, ...] = ()
    going: tuple[Json, ...] = ({"generation": f"{NAME}-2", "why": "no rule keeps it"},)

    def _mark(self, request: MarkRequest) -> Json:
        commit = {"epoch": 3, "seq": 1842}
        return {"label": request.label, "commit": commit, "time": "2026-11-22T03:15:00.000000Z"}

    def _generations_list(self, _request: GenerationsListRequest) -> list[Json]:
        return list(self.listed)

    def _generations_show(self, _request: GenerationsShowRequest) -> Json:
        return {**LISTED, **SHOWN, "lacking": [*self.lacking]}

    def _generations_take_offline(self, request: GenerationsTakeOfflineRequest) -> Json:
        taken = self._generations_take(GenerationsTakeRequest(request.dataset, request.label))
        return {**taken, "down_ms": 1200, "steps": [{"name": "stop", "ms": 3, "result": "stop: done in 0.0 s"}]}

    def _generations_take(self, _request: GenerationsTakeRequest) -> Json:
        kept = {"generation": NAME, "commit": {"epoch": 3, "seq": 1842}, "digest": "ab" * 32}
        return {**kept, "consistency": "file-consistent", "stood_still_ms": 0.0, "note": self.note}

    def _generations_take_group(self, request: GenerationsTakeGroupRequest) -> Json:
        taken = self._generations_take(GenerationsTakeRequest(request.dataset, request.label))
        found = [{"dataset": name, **taken, "stood_still_ms": 41.0} for name in ("disk", "web")]
        return {"group": request.group, "together": f"{request.group}/{NAME}", "generations": found}

    def _generations_pin(self, _request: GenerationsPinRequest) -> Json:
        return {"generation": NAME, "pinned": True}

    def _generations_unpin(self, _request: GenerationsUnpinRequest) -> Json:
        return {"generation": NAME, "pinned": False}

    def _generations_verify(self, _request: GenerationsVerifyRequest) -> Json:
        return {"checked_bytes": 5 << 30, "damaged": list(self.damaged)}

    def _generations_collect(self, request: GenerationsCollectRequest) -> Json:
        if request.dry_run:
            dropped, rewritten = {"packs": 1, "bytes": 1 << 20}, {"packs": 2, "bytes": 4 << 20}
            plan = {"dropped": dropped, "rewritten": rewritten, "written": 1 << 19, "bytes": 5 << 20}
            return {"since": "2026-11-21T03:15:00.000000Z", **plan}
        return {"chunks": 6100, "bytes": 3 << 20, "packs": 3, "written": 1 << 19}

    def _generations_expire(self, request: GenerationsExpireRequest) -> Json:
        if request.simulate:
            kept = [
                {"time": f"2029-11-{day}T12:00:00.000000Z", "why": why}
                for day, why in (
                    ("03", "monthly 2 of 12"),
                    ("27", "daily 2 of 30"),
                    ("28", "hourly 1 of 24; daily 1 of 30"),
                )
            ]
            return {"schedule": "0 * * * *", "until": "2029-11-28T12:00:00.000000Z", "simulated": kept}
        stays = [{"generation": NAME, "why": "pinned; daily 1 of 30"}]
        return {"goes": list(self.going), "stays": stays, "bytes": None}
