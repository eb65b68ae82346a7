"""Two agents whose roles are exchanged by their records alone: the promoted one goes on from what it received."""

from __future__ import annotations

import random

from fakes.agents import UNBRAKED, Pair, pair
from fakes.eventually import eventually
from fakes.roles import make_primary, make_standby, reign

FILES = 60
#: Its list of chunks is cut into pieces, which on a standby lie in the vault alone.
LARGE = 96 << 20


def filled(both: Pair, large: int) -> None:
    """Files in directories, and one of ``large`` bytes, are mirrored."""
    seed = 20261129
    print(f"seed {seed}")
    made = random.Random(seed)
    for number in range(FILES):
        path = both.source / f"d{number % 6}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(made.randbytes(20_000))
    if large:
        (both.source / "large").write_bytes(made.randbytes(large))
    both.begin()


def swapped(both: Pair) -> None:
    """beta reigns and alpha, with an empty path, is its standby; both are started and beta has an epoch of its own."""
    both.stop()
    make_primary(both.home(both.beta), reign(2, "beta"))
    make_standby(both.home(both.alpha), reign(2, "beta"))
    both.source.rename(both.base / "kept")
    both.source.mkdir()
    both.start()
    for agent in both.agents:
        agent.up()
    eventually(lambda: ("primary", 2) == (both.beta.look().get("role"), both.beta.look().get("epoch")))


def test_a_promoted_node_captures_and_streams() -> None:
    """Its changes, of a large file too, reach the node that was the primary, in an epoch of its own begun as it was recorded."""
    with pair(UNBRAKED) as both:
        filled(both, LARGE)
        before = both.alpha.look()["commit"]
        swapped(both)
        both.beta.wait()
        with (both.target / "large").open("r+b") as large:
            large.seek(40 << 20)
            large.write(b"changed on beta" * 100)
        (both.target / "d0" / "new").write_text("written on beta")
        (both.target / "d1" / "f1").unlink()
        both.beta.wait()
        for path in ("d0/new", "d2/f2", "large"):
            assert (both.target / path).read_bytes() == (both.source / path).read_bytes()
        assert not (both.source / "d1" / "f1").exists()
        shown = [agent.look() for agent in both.agents]
        assert [("standby", "beta"), ("primary", "beta")] == [(one["role"], one["primary"]) for one in shown]
        assert shown[0]["commit"]["digest"] == shown[1]["commit"]["digest"] != before["digest"]
        assert both.alpha.json("verify", "web", "--deep")["equal"]
        for agent in both.agents:
            agent.cleared("not-running", "promoting", "capture-failed", "fenced", "rewound")


def test_roles_go_there_and_back() -> None:
    """Each reign begins above the one before; what either wrote is on both in the end."""
    with pair(UNBRAKED) as both:
        filled(both, 0)
        swapped(both)
        (both.target / "of beta").write_text("2")
        both.beta.wait()
        both.stop()
        make_primary(both.home(both.alpha), reign(3, "alpha"))
        make_standby(both.home(both.beta), reign(3, "alpha"))
        both.start()
        eventually(lambda: ("primary", 3) == (both.alpha.look().get("role"), both.alpha.look().get("epoch")))
        (both.source / "of alpha").write_text("3")
        both.mirror()
        assert ["2", "3"] == [(both.target / name).read_text() for name in ("of beta", "of alpha")]


def test_another_directory_than_the_standby_is_not_captured() -> None:
    """What was the standby is gone when its node is promoted: an empty directory there is no mass deletion."""
    with pair(UNBRAKED) as both:
        filled(both, 0)
        both.stop()
        both.target.rename(both.base / "was the standby")
        both.target.mkdir()
        make_primary(both.home(both.beta), reign(2, "beta"))
        both.beta.start()
        both.beta.told("root-replaced")
        entries = eventually(lambda: (both.beta.look()["commit"] or {}).get("entries"))
        both.target.rmdir()
        (both.base / "was the standby").rename(both.target)
        both.beta.cleared("root-replaced")
        (both.target / "after").touch()
        eventually(lambda: entries + 1 == both.beta.look()["commit"]["entries"])
