"""``resync --vault``: a vault that lost its packs is filled from the standby, and what is lost with it is said."""

from __future__ import annotations

import shutil

from agent.core.errors import Exit
from fakes.agents import pair


def test_a_vault_that_lost_its_packs() -> None:
    """What stands now comes back; the generation that needed more is incomplete, and the other is whole."""
    with pair() as both:
        (both.source / "old").write_bytes(b"only an older generation needs this " * 400)
        (both.source / "file").write_bytes(b"what stands now, too " * 400)
        both.begin()
        first = both.beta.json("generations", "take", "web")["generation"]
        (both.source / "old").unlink()
        second = both.beta.json("generations", "take", "web")["generation"]
        refused = both.beta.run("resync", "web", "--vault", "--yes")
        assert (Exit.REFUSED, True) == (refused.returncode, "lacks nothing" in refused.stderr), refused.stderr
        both.alpha.kill()
        both.beta.kill()
        shutil.rmtree(both.home(both.beta) / "vault")
        both.beta.start()
        both.beta.up()
        plan = both.beta.json("resync", "web", "--vault", "--dry-run")
        assert [{"generation": first, "files": 1}] == plan["incomplete"]
        asked = both.beta.run("resync", "web", "--vault")
        assert (Exit.REFUSED, True) == (asked.returncode, "nobody can be asked" in asked.stderr), asked.stderr
        done = both.beta.json("resync", "web", "--vault", "--yes")
        assert ([{"generation": first, "files": 1}], 0, True) == (
            done["incomplete"],
            done["left"],
            done["restored"] > 0,
        )
        listed = both.beta.json("generations", "list", "web")
        assert [(first, 1), (second, 0)] == [(one["generation"], one["incomplete"]) for one in listed]
