"""What holds, pauses or troubles a dataset on one node is known on the other, and ends there when it ends."""

from __future__ import annotations

from fakes.agents import Agent, pair
from fakes.eventually import eventually

FILES = 200


def checked(agent: Agent) -> tuple[int, str]:
    """Code and line of `hikae check`."""
    done = agent.run("check")
    return done.returncode, done.stdout.strip()


def is_state(agent: Agent, state: str) -> None:
    """Wait for it."""
    eventually(lambda: state == agent.look()["state"])


def test_a_standby_that_is_held_is_held_on_its_primary() -> None:
    """The brake holds on the secondary: the primary says so, with where to type what, and streams once it was accepted."""
    with pair() as both:
        for number in range(FILES):
            (both.source / f"f{number}").write_text(str(number))
        both.begin()
        for number in range(FILES - 20):
            (both.source / f"f{number}").unlink()
        is_state(both.alpha, "held")
        hold = both.alpha.look()["hold"]
        assert ("mass-deletion", "beta") == (hold["code"], hold["node"])
        code, line = checked(both.alpha)
        assert (2, True) == (code, "beta is held: " in line and "on beta: hikae accept web" in line)
        both.beta.json("accept", "web", "--yes")
        both.mirror()
        is_state(both.alpha, "streaming")
        assert (None, 0) == (both.alpha.look()["hold"], checked(both.alpha)[0])


def test_a_source_that_is_gone_holds_the_standby() -> None:
    """The root vanishes on the primary: the secondary names the hold; and where the link is down too it is only the last word."""
    with pair() as both:
        both.begin()
        both.source.rename(both.source.with_name("elsewhere"))
        is_state(both.beta, "held")
        hold = both.beta.look()["hold"]
        assert ("root-gone", "alpha", 2) == (hold["code"], hold["node"], checked(both.beta)[0])
        both.alpha.kill()
        is_state(both.beta, "disconnected")
        peer = both.beta.peer("alpha")
        assert (None, "root-gone") == (both.beta.look()["hold"], peer["hold"]["code"])
        assert peer["said"] < peer["since"]


def test_pauses_are_a_warning_on_both_nodes() -> None:
    """Somebody asked for it: no node calls it a lost peer, and each says where it is ended."""
    with pair() as both:
        both.begin()
        both.beta.json("pause", "web", "--apply")
        is_state(both.alpha, "paused")
        assert [("beta", "apply")] == paused(both.alpha)
        assert (1, 1) == (checked(both.alpha)[0], checked(both.beta)[0])
        both.beta.json("resume", "web", "--apply")
        is_state(both.alpha, "streaming")
        both.alpha.json("pause", "web", "--send")
        is_state(both.beta, "paused")
        eventually(lambda: not both.alpha.peer("beta")["connected"])
        is_state(both.alpha, "paused")
        assert [("alpha", "send")] == paused(both.beta)
        assert (1, 1) == (checked(both.alpha)[0], checked(both.beta)[0])
        both.alpha.json("resume", "web", "--send")
        is_state(both.beta, "streaming")


def paused(agent: Agent) -> list[tuple[str, str]]:
    """Who pauses what."""
    return [(pause["node"], pause["what"]) for pause in agent.look()["pauses"]]


def test_what_a_verify_found_outlives_a_restart_and_is_told() -> None:
    """A file of the standby was changed: a problem on both nodes, also after a restart, until a verify finds none."""
    with pair() as both:
        (both.source / "a").write_text("as it is")
        both.begin()
        (both.target / "a").write_text("otherwise")
        assert 1 == both.beta.run("verify", "web", "--deep").returncode
        both.beta.told("verify-differences", "2 differences")
        is_state(both.alpha, "degraded")
        assert (2, 2) == (checked(both.alpha)[0], checked(both.beta)[0])
        assert "verify-differences" == both.alpha.peer("beta")["worst"]["code"]
        assert not both.alpha.peer("beta")["last_verify"]["equal"]
        assert "verify-differences" in {event["code"] for event in both.beta.json("events")}
        both.beta.restart()
        both.beta.told("verify-differences")
        assert 0 == both.beta.run("verify", "web", "--deep", "--repair").returncode
        both.beta.cleared("verify-differences")
        is_state(both.alpha, "streaming")
