"""``find`` and ``generations diff`` between two real agents, typed on either node."""

from __future__ import annotations

import os
import shlex

from fakes.agents import pair


def test_what_happened_is_found_and_told_on_either_node() -> None:
    """A file that changed, moved with its directory and went: each version is found, and what differs between two moments."""
    with pair() as both:
        (both.source / "etc").mkdir()
        (both.source / "etc" / "app.conf").write_text("one")
        (both.source / os.fsdecode(b"odd\xff[1]")).write_text("x")
        both.begin()
        newest = both.beta.look()["commit"]["time"]
        with (both.source / "etc" / "app.conf").open("r+") as file:
            file.write("other")  # in one step: emptied first, it might be seen so
        both.alpha.wait()
        (both.source / "etc").rename(both.source / "conf")
        both.alpha.wait()
        (both.source / "conf" / "app.conf").unlink()
        (both.source / "new").write_text("new")
        both.alpha.wait()
        for agent in (both.alpha, both.beta):
            found = agent.json("find", "web", "app.conf", "--json")
            assert [("conf/app.conf", 1), ("etc/app.conf", 2)] == [(one["path"], one["versions"]) for one in found]
            assert [3, 5] == [one["bytes"] for one in found[1]["history"]]
            assert [[], ["content", "mtime"]] == [one["differs"] for one in found[1]["history"]]
            assert all(one["deleted"] is not None for one in found)
            differs = agent.json("generations", "diff", "web", newest, "--json")
            told = [(one["what"], one["path"], one.get("from")) for one in differs["entries"]]
            expected = [("moved", "conf", "etc"), ("deleted", "etc/app.conf", None), ("added", "new", None)]
            assert expected == told
            assert (1, 0, 1, 1, 0) == tuple(differs[key] for key in ("added", "changed", "moved", "deleted", "more"))
        brought = both.beta.json("find", "web", "/etc/app.conf", "--json")[0]
        for agent in (both.alpha, both.beta):
            for number, version in enumerate(brought["history"]):
                target = both.beta.state.parent / f"brought-back-{agent.name}-{number}"
                done = agent.run(*shlex.split(version["command"].replace("FILE", str(target)))[1:])
                assert (0, ["one", "other"][number]) == (done.returncode, target.read_text()), done.stderr
        whole = both.beta.json("find", "web", str(both.target / "etc/app.conf"), "--json")
        assert ["etc/app.conf"] == [one["path"] for one in whole]
        odd = both.beta.json("find", "web", os.fsdecode(b"*\xff*"), "--json")
        assert [(r"odd\xff[1]", b"odd\xff[1]".hex())] == [(one["path"], one["path_hex"]) for one in odd]
        words = both.beta.run("generations", "diff", "web", newest)
        assert (0, True) == (words.returncode, "> etc/ → conf/" in words.stdout and "- etc/app.conf" in words.stdout)
        assert "web: 1 added, 1 moved, 1 deleted" in words.stdout
        for agent in (both.alpha, both.beta):
            nothing = agent.run("find", "web", "nothing")
            assert (4, 2) == (nothing.returncode, nothing.stderr.count("\n"))
            assert nothing.stderr.startswith("looking on beta from ")
            compared = agent.run("generations", "diff", "web", newest, "--json")
            assert ["from the state", "to   the state"] == [line[:14] for line in compared.stderr.splitlines()]
        for arguments, code in [
            (("find", "web", "../x"), 2),
            (("generations", "diff", "web", "2001-01-01 00:00"), 4),
            (("generations", "diff", "web", "2099-01-01 00:00"), 3),
            (("generations", "diff", "web", "no-such"), 4),
        ]:
            answer = both.beta.run(*arguments)
            assert (arguments, code, 1) == (arguments, answer.returncode, answer.stderr.count("\n"))
