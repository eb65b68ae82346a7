"""Damage in a vault is found, named with what it hurts, and mended where somebody still has it."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from agent.core.chunks import name_of
from agent.core.errors import Exit
from agent.generations.checked_names import PLACES
from agent.status.published import Json
from agent.store.local import Local
from agent.store.vault.pack import numbers_in, path_of, records
from fakes.agents import Agent, pair
from fakes.eventually import eventually

_MONTH = 30 * 86_400 * 10**9


def flip(agent: Agent, raw: bytes) -> None:
    """One bit of the record of these bytes, in the middle."""
    packs = agent.state / "datasets" / "web" / "vault" / "packs"
    for number in numbers_in(str(packs)):
        with Path(path_of(str(packs), number)).open("r+b") as pack:
            size = os.fstat(pack.fileno()).st_size
            for name, place in records(pack.fileno(), number, 0, size, []):
                if name == name_of(raw):
                    at = place.end - place.stored_length // 2
                    (was,) = os.pread(pack.fileno(), 1, at)
                    os.pwrite(pack.fileno(), bytes([was ^ 4]), at)
                    return
    raise AssertionError("it is in no pack")


def test_damage_is_named_with_files_and_generations_and_mended_where_it_can_be() -> None:
    """What the standby still has comes back; an old version that nobody has is lost, and only what needs it is hurt."""
    with pair() as both:
        old, kept = os.urandom(9000), os.urandom(9000)
        (both.source / "changes").write_bytes(old)
        (both.source / "below").mkdir()
        (both.source / "below" / "stays").write_bytes(kept)
        both.begin()
        first = both.beta.json("generations", "take", "web")["generation"]
        (both.source / "changes").write_bytes(os.urandom(9000))
        both.alpha.wait()
        second = both.beta.json("generations", "take", "web")["generation"]
        whole = both.beta.json("generations", "verify", "web")
        assert ([], True) == (whole["damaged"], whole["checked_bytes"] >= 27_000)
        flip(both.beta, old)
        flip(both.beta, kept)
        assert {name_of(kept).hex(): (["below/stays"], [first, second, "newest"], True)} == found(both.beta, second)
        assert {name_of(old).hex(): (["changes"], [first], False)} == found(both.beta)
        assert {} == found(both.beta, second)
        text = both.beta.run("generations", "verify", "web")
        assert (Exit.FAILED, True) == (text.returncode, "files: changes" in text.stdout)


def test_a_share_that_was_missed_is_made_up_and_told() -> None:
    """The agent was down when it was due: its node has the result in status, events and check, damage with its path."""
    with pair() as both:
        old = os.urandom(9000)
        (both.source / "changes").write_bytes(old)
        both.begin()
        (both.source / "changes").write_bytes(os.urandom(9000))
        both.alpha.wait()
        both.beta.kill(signal.SIGTERM)
        flip(both.beta, old)
        checked = 'generations.verify = "30 4 * * *"\ngenerations.verify_share = "100%"\n'
        both.beta.config.write_text(both.beta.config.read_text() + checked)
        with Local.open(str(both.home(both.beta) / "local.db")) as local:
            began = {"began": time.time_ns() - _MONTH, "ran": 0, "next": 0, "stretches": [[0, PLACES, 0]], "last": None}
            local.set_value("checked-chunks", json.dumps({**began, "lost": []}).encode(), durable=True)
        both.beta.start()
        eventually(lambda: (verified(both.beta).get("last") or {}).get("damaged") == 1, 90)
        told = verified(both.beta)
        assert (1, 1, 0, True) == (
            told["damaged"],
            *(told["last"][key] for key in ("damaged", "mended")),
            bool(told["since"]),
        )
        problems = [one for one in both.beta.look()["problems"] if one["code"] == "vault-damaged" and one["path"]]
        assert [("changes", True)] == [(one["path"], "history only" in one["message"]) for one in problems]
        events = [one["message"] for one in both.beta.json("events", "web") if one["code"] == "generations-verified"]
        assert (1, True) == (len(events), events[0].endswith("1 chunk is damaged, 0 put back"))
        assert "chunks      all read and checked since" in both.beta.run("status", "web").stdout


def verified(agent: Agent) -> Json:
    """What a node says of its vault."""
    vault = agent.look().get("vault") or {}
    return dict(vault.get("verified") or {})


def found(agent: Agent, *generation: str) -> dict[str, tuple[list[str], list[str], bool]]:
    """What a look finds, by chunk."""
    done = agent.run("generations", "verify", "web", *generation, "--json")
    damaged = json.loads(done.stdout)["damaged"]
    lost = any(not one["mended"] for one in damaged)
    assert done.returncode == (Exit.FAILED if lost else Exit.DONE), done.stderr
    return {one["chunk"]: (one["paths"], one["generations"], one["mended"]) for one in damaged}
