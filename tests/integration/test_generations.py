"""Generations between two agents: taken, listed and pinned from either node, with and without a primary."""

from __future__ import annotations

import re
from functools import partial

from agent.core.errors import Exit
from fakes.agents import Agent, pair
from fakes.eventually import eventually

SHORT = 'history = "1s"\n[dataset.brake]\nwindow = "1s"\n'


def test_a_generation_holds_what_was_written_before() -> None:
    """Typed on either node; it stays when history has passed it, and is named in every way."""
    with pair(SHORT) as both:
        both.begin()
        (both.source / "file").write_text("before")
        first = both.beta.json("generations", "take", "web", "--label", "release", "--pin")
        (both.source / "file").write_text("after, and longer")
        both.alpha.wait()
        second = both.alpha.json("generations", "take", "web")
        listed = both.alpha.json("generations", "list", "web")
        assert [(first["generation"], "release", True, 6), (second["generation"], "", False, 17)] == [
            (one["generation"], one["label"], one["pinned"], one["bytes"]) for one in listed
        ]
        assert ("", "file-consistent", True) == (
            first["note"],
            first["consistency"],
            re.fullmatch(r"\d{8}T\d{6}Z", first["generation"]) is not None,
        )
        shown = both.beta.json("generations", "show", "web", "latest~1")
        assert (first["digest"], "demand", "beta") == (shown["digest"], shown["cause"], shown["node"])
        alone = {key: shown[key] for key in ("own_bytes", "shared_bytes")}
        assert None not in alone.values()
        assert {key: listed[0][key] for key in alone} == alone
        assert {"generation": first["generation"], "pinned": False} == both.beta.json(
            "generations", "unpin", "web", "release"
        )
        noted = ["generation-taken", "generation-taken", "generation-unpinned"]
        for agent in both.agents:
            eventually(partial(noted_three, agent))
            assert noted == codes_of(agent.json("events", "web"))[:3]
        assert ("beta", 1) == tuple(both.alpha.dataset()["history"][key] for key in ("node", "wanted"))
        assert "beta" == both.alpha.dataset()["generations"]["node"]


def codes_of(events: list[dict[str, str]]) -> list[str]:
    """What became of generations, by the events."""
    return [one["code"] for one in events if one["code"].startswith("generation-")]


def noted_three(agent: Agent) -> bool:
    """Whether its events say of so many generations what became of them."""
    return len(codes_of(agent.json("events", "web"))) >= 3


def test_without_a_primary_the_newest_commit_is_kept_and_said_to_be_that() -> None:
    """After a restart too; what is refused is refused with a sentence."""
    with pair() as both:
        (both.source / "file").write_text("before")
        both.begin()
        both.alpha.kill()
        both.beta.connected(False)
        kept = both.beta.json("generations", "take", "web")
        assert "the newest commit that was here: alpha: " in kept["note"]
        both.beta.restart()
        assert [kept["generation"]] == [one["generation"] for one in both.beta.json("generations", "list", "web")]
        for words, code, sentence in (
            (("take", "web", "--label", "2026-11-22"), Exit.USAGE, "must not look like a time"),
            (("show", "web", "nothing"), Exit.NOT_FOUND, "hikae generations list web"),
            (("pin", "web", ""), Exit.NOT_FOUND, "no generation of web has that name or label"),
        ):
            done = both.beta.run("generations", *words)
            assert (code, True) == (done.returncode, sentence in done.stderr), done.stderr


def test_a_mark_is_found_on_the_node_with_the_vault() -> None:
    """With all that was written before it, also where nothing has changed since the commit before; a label names one moment."""
    with pair() as both:
        both.begin()
        (both.source / "file").write_text("before")
        marked = both.beta.json("mark", "web", "deploy")
        assert ["commit", "label", "time"] == sorted(marked)
        again = both.alpha.run("mark", "web", "deploy")
        assert (Exit.REFUSED, True) == (again.returncode, "choose another label" in again.stderr)
        other = both.alpha.json("mark", "web", "checked")
        assert other["commit"]["seq"] == marked["commit"]["seq"] + 1
        both.alpha.wait()
        assert other["commit"]["seq"] == both.beta.dataset()["commit"]["seq"]


def test_what_stood_is_kept_before_a_hold_is_accepted() -> None:
    """What was deleted is in a generation of its own, which status counts and no rule lets go for a week."""
    with pair(SHORT) as both:
        (both.source / "all").mkdir()
        for number in range(8):
            (both.source / "all" / f"file {number}").write_text("before")
        both.begin()
        # At once: no part of it is applied before the rest is found.
        (both.source / "all").rename(both.source.parent / "away")
        eventually(lambda: both.beta.look().get("hold"))
        accepted = both.beta.json("accept", "web", "--yes")
        kept = both.beta.json("generations", "show", "web", accepted["generation_before"])
        assert (9, "before", True) == (kept["entries"], kept["cause"], "before this was accepted: " in kept["note"])
        eventually(lambda: not (both.target / "all").exists())
        look = both.beta.look()
        assert (1, kept["time"], 1) == (
            look["generations"]["count"],
            look["generations"]["newest"],
            look["history"]["wanted"],
        )
        assert look["history"]["reaches"] is not None
        expired = both.beta.json("generations", "expire", "web", "--dry-run")
        assert ([], True, 0) == (expired["goes"], "a week" in expired["stays"][0]["why"], expired["bytes"])
        assert {"generation", "why", "label"} == expired["stays"][0].keys()


def test_at_a_hundredth_of_the_brake_what_stood_is_kept() -> None:
    """Without a hold, and by itself."""
    with pair() as both:
        for number in range(150):
            (both.source / f"file {number}").write_text("before")
        both.begin()
        for number in range(3):
            (both.source / f"file {number}").unlink()
        eventually(lambda: both.beta.look()["generations"] and both.beta.look()["generations"]["count"])
        kept = both.beta.json("generations", "show", "web", "latest")
        assert ("brake", 150, None) == (kept["cause"], kept["entries"], both.beta.look()["hold"])


def test_what_no_rule_keeps_goes_with_what_it_kept_of_the_vault() -> None:
    """The rules at their word: one stays, and a dry run says what the other alone keeps."""
    with pair(f"{SHORT}[dataset.generations]\nkeep = {{ last = 1 }}\n") as both:
        (both.source / "file").write_bytes(b"first " * 2000)
        both.begin()
        pinned = both.beta.json("generations", "take", "web", "--pin")["generation"]
        (both.source / "file").write_bytes(b"second " * 2000)
        newest = both.beta.json("generations", "take", "web")["generation"]
        (both.source / "file").write_bytes(b"third " * 2000)
        both.alpha.wait()
        both.beta.json("generations", "unpin", "web", pinned)
        expired = both.beta.json("generations", "expire", "web", "--yes")
        assert ([], [newest]) == (
            [one["generation"] for one in expired["goes"] if one["generation"] != pinned],
            [one["generation"] for one in expired["stays"]],
        )
        assert [newest] == [one["generation"] for one in both.beta.json("generations", "list", "web")]
