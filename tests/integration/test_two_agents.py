"""Two agents as the README has them: the commands as typed there, what they answer field by field, a clean stop, a restart."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fakes.agents import Agent, Pair
from fakes.eventually import eventually
from fakes.trees import differences, snapshot

ZERO = "0" * 64

STATUS = {"schema", "node", "version", "clock", "disks", "problems", "datasets", "certificate", "crl"}
DATASET = {
    "name", "kind", "group", "role", "path", "primary", "standbys", "epoch", "state", "since", "commit", "applied", "peers",
    "sync", "watch", "owed", "seeding", "entries", "bytes", "generations", "hold", "pauses", "last_verify", "last_rehearsal",
    "problems", "uncounted", "history", "vault", "promotion", "moving", "serving", "opened", "first_sync", "whole",
}  # fmt: skip
COMMIT = {"epoch", "seq", "digest", "time", "consistent", "entries", "bytes"}
PEER = {
    "name", "version", "connected", "mode", "since", "durable_seq", "durable_epoch", "applied_seq", "applied_epoch",
    "lag_seconds", "behind_bytes", "rate", "change_rate", "forecast_seconds", "forecast_never", "rate_limit", "waits_until",
    "limited_by", "received", "applied", "first_sync", "said", "state", "hold", "errors", "warnings", "worst", "last_verify",
    "owed", "left_behind", "behind_known", "sync", "history", "vault", "generations",
}  # fmt: skip
WATCH = {"kind", "why", "by_event", "by_reconcile", "overflows", "last_reconcile"}
PROBLEM = {"code", "severity", "since", "path", "message", "remedy"}
VERIFY = {
    "equal",
    "changing",
    "deep",
    "checked_entries",
    "checked_bytes",
    "differences",
    "owed",
    "owed_paths",
    "repaired",
    "commit",
    "newest",
}
EVENT = {"id", "time", "dataset", "code", "message", "severity"}


class Two(Pair):
    """The pair of every test, with a second dataset ``mail`` on the same two agents."""

    def __init__(self, base: Path) -> None:
        self.mail, self.mail_copy = base / "mail", base / "mail copy"
        self.mail.mkdir()
        second = (
            'exclude = ["**/*.tmp"]\n[[dataset]]\nname = "mail"\nkind = "tree"\nprimary = "alpha"\nstandby = ["beta"]\n'
            f'group = "office"\npath = {{ alpha = "{self.mail}", beta = "{self.mail_copy}" }}\n'
        )
        super().__init__(base, second)

    def fill(self) -> None:
        """Something to replicate: 40 files in four directories, some with company, and one that is excluded."""
        for number in range(40):
            where = self.source / f"shop-{number % 4}"
            where.mkdir(exist_ok=True)
            (where / f"{number}.txt").write_bytes(b"%d\n" % number * 1000)
        os.link(self.source / "shop-1/1.txt", self.source / "shop-2/also 1.txt")
        (self.source / "now").symlink_to("shop-1")
        (self.source / "draft.tmp").write_text("nobody needs it")
        (self.mail / "inbox").write_text("hello")


@pytest.fixture
def two(tmpfs_dir: Path) -> Iterator[Two]:
    """Both agents, running, with both datasets synced."""
    made = Two(tmpfs_dir)
    made.fill()
    try:
        made.start()
        for agent in made.agents:
            agent.up()
        for dataset in ("web", "mail"):
            made.alpha.json("wait", dataset, "--applied", "--timeout", "60")
        yield made
    except BaseException:
        for agent in made.agents:
            print(f"--- {agent.name}:\n{agent.tail()}")
        raise
    finally:
        for agent in made.agents:
            agent.kill()


def keys(value: dict[str, Any]) -> set[str]:
    """The fields of a JSON object."""
    return set(value)


def is_moment(text: object) -> bool:
    """Whether a field is a time: UTC, to be read by anybody."""
    return isinstance(text, str) and datetime.fromisoformat(text).utcoffset() is not None


def streaming(agent: Agent) -> dict[str, dict[str, Any]]:
    """Wait until both datasets of a node are in the state in which nothing is to be done; they, by name."""
    eventually(lambda: {"streaming"} == {one["state"] for one in (agent.seen() or {"datasets": []})["datasets"]})
    return {one["name"]: one for one in agent.json("status")["datasets"]}


def test_the_commands_of_the_readme(two: Two) -> None:
    """`status`, `check`, `wait`, `verify`, `reconcile`, `events`: they work, and say for people and for programs how it is."""
    streaming(two.alpha)
    shown = two.alpha.run("status")
    assert 0 == shown.returncode, shown.stderr
    for name in ("mail", "web"):
        assert re.search(rf"^{name} +streaming +→ beta +now +now +never ", shown.stdout, re.MULTILINE), shown.stdout
    shown = two.beta.run("status")
    assert re.search(r"^web +streaming +← alpha +[\d:]+ +[\d:]+ +never ", shown.stdout, re.MULTILINE), shown.stdout
    for agent in two.agents:
        checked = agent.run("check")
        assert (0, "HIKAE OK - 2 datasets: mail, web") == (
            checked.returncode,
            checked.stdout.partition(" |")[0].strip(),
        )
    (two.source / "new").write_text("new")
    for level in ("--durable", "--applied"):
        waited = two.alpha.run("wait", "web", level)
        pattern = rf"web: commit 1\.\d+ is {level[2:]} on every standby \(.+\)\n"
        assert re.fullmatch(pattern, waited.stdout), waited.stdout + waited.stderr
    assert "new" == (two.target / "new").read_text()
    verified = two.beta.run("verify", "web", "--deep")
    assert (0, "web: equal to commit 1.") == (verified.returncode, verified.stdout[:23])
    looked = two.alpha.run("reconcile", "web")
    assert re.fullmatch(r"web: looked at everything up to commit 1\.\d+, [\d,]+ found\n", looked.stdout), looked.stdout
    happened = two.alpha.run("events")
    assert re.search(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  web  peer-connected  beta is connected$", happened.stdout, re.MULTILINE
    )


def test_status_has_every_field_of_the_contract(two: Two) -> None:
    """On both sides, with the types that programs rely on; nothing is wrong, so there are no problems."""
    on_alpha, on_beta = streaming(two.alpha), streaming(two.beta)
    for agent in two.agents:
        status = agent.json("status")
        assert STATUS == keys(status)
        assert (1, agent.name, []) == (status["schema"], status["node"], status["problems"])
        assert is_moment(status["clock"])
        assert ["mail", "web"] == sorted(one["name"] for one in status["datasets"])
    for one in (*on_alpha.values(), *on_beta.values()):
        assert DATASET == keys(one)
        assert ("tree", "alpha", ["beta"], 1) == (one["kind"], one["primary"], one["standbys"], one["epoch"])
        assert [None, [], None] == [one[name] for name in ("hold", "pauses", "last_rehearsal")]
        # None where no generation is kept.
        kept = one["generations"]
        assert kept is None or (0, None, None) == (kept["count"], kept["newest"], kept["oldest"])
        assert ([], {}) == (one["problems"], one["uncounted"])
        assert is_moment(one["since"])
        assert COMMIT == keys(one["commit"])
        assert (1, True) == (one["commit"]["epoch"], one["commit"]["consistent"])
        assert re.fullmatch("[0-9a-f]{64}", one["commit"]["digest"])
        assert is_moment(one["commit"]["time"])
        assert [PEER] == [keys(peer) for peer in one["peers"]]
    web, copy = on_alpha["web"], on_beta["web"]
    assert (str(two.source), str(two.target)) == (web["path"], copy["path"])
    assert (None, "office") == (web["group"], on_alpha["mail"]["group"])
    assert ("primary", "standby") == (web["role"], copy["role"])
    assert web["commit"]["digest"] == copy["commit"]["digest"] != ZERO
    # 4 directories, 40 files, a further name, a symlink.
    assert (46, 46) == (web["commit"]["entries"], copy["commit"]["entries"])
    assert (1, copy["commit"]["seq"]) == (copy["applied"]["epoch"], copy["applied"]["seq"])
    peer = web["peers"][0]
    assert ("beta", True, "streaming", 0) == (peer["name"], peer["connected"], peer["mode"], peer["behind_bytes"])
    assert (web["commit"]["seq"], web["commit"]["seq"]) == (peer["durable_seq"], peer["applied_seq"])
    assert 0 <= peer["lag_seconds"] < 60
    assert WATCH == keys(web["watch"])
    assert is_moment(web["watch"]["last_reconcile"])
    assert web["watch"]["kind"] in ("fanotify", "inotify")
    # A count; not how many: others may flood the queue of the filesystem.
    assert (int, None) == (type(web["watch"]["overflows"]), copy["watch"])


def test_the_answers_of_commands_have_every_field(two: Two) -> None:
    """`wait`, `reconcile`, `verify`, `pause`, `resume`, `check`, `events` with `--json`."""
    waited = two.alpha.json("wait", "web", "--durable")
    assert {"dataset", "commit", "level", "seconds", "owed"} == keys(waited)
    assert ("web", {"epoch", "seq"}, "durable") == (waited["dataset"], keys(waited["commit"]), waited["level"])
    looked = two.alpha.json("reconcile", "web")
    assert {"dataset", "commit", "found", "seconds"} == keys(looked)
    assert 0 == looked["found"]
    verified = two.beta.json("verify", "web", "--deep")
    assert VERIFY == keys(verified)
    assert (True, [], 0) == (verified["equal"], verified["differences"], verified["repaired"])
    assert verified["checked_entries"] >= 46
    assert verified["checked_bytes"] > 40_000
    kept = two.beta.dataset()["last_verify"]
    assert {"time", "equal", "deep", "differences"} == keys(kept)
    assert (True, True, 0) == (kept["equal"], kept["deep"], kept["differences"])
    assert is_moment(kept["time"])
    paused = two.beta.json("pause", "web", "--apply", "--for", "2h")
    assert ({"dataset", "paused"}, {"apply"}) == (keys(paused), keys(paused["paused"]))
    assert is_moment(paused["paused"]["apply"])
    standing = two.beta.dataset()
    assert ("paused", [("beta", "apply")]) == (
        standing["state"],
        [(one["node"], one["what"]) for one in standing["pauses"]],
    )
    resumed = two.beta.json("resume", "web", "--apply")
    assert {"dataset", "paused", "ended", "behind_bytes", "behind_commits", "held", "elsewhere"} == keys(resumed)
    assert ("web", None, ["apply"]) == (
        resumed["dataset"],
        resumed["paused"],
        [one["what"] for one in resumed["ended"]],
    )
    eventually(lambda: not two.alpha.look()["pauses"])
    said = two.alpha.json("check")
    assert ({"code", "line"}, 0) == (keys(said), said["code"])
    # Figures of lag are of the moment.
    assert checked(two.alpha).partition(" | ")[0] == said["line"].partition(" | ")[0]
    happened = two.alpha.json("events")
    assert [EVENT] * len(happened) == [keys(one) for one in happened]
    assert "agent-started" == happened[0]["code"]
    assert sorted(one["id"] for one in happened) == [one["id"] for one in happened]
    assert all(is_moment(one["time"]) for one in happened)


def checked(agent: Agent) -> str:
    """What `check` says; figures of lag change from call to call, so only when both agree."""
    return eventually(lambda: _same(agent.run("check").stdout.strip(), agent.json("check")["line"]))


def _same(one: str, other: str) -> str:
    return one if one == other else ""


def test_a_refusal_says_where_to_type_it(two: Two) -> None:
    """Exit codes: 3 for what this node does not decide, 4 for what nobody knows, 2 for what makes no sense."""
    assert 0 == two.beta.run("wait", "web").returncode, "it is passed on to alpha"
    refused = two.alpha.run("verify", "web", "--repair")
    assert (3, True) == (refused.returncode, "on beta: hikae verify web" in refused.stderr)
    refused = two.alpha.run("verify", "web", "--repair", "--json")
    assert (3, {"refused": True, "gates": []}) == (refused.returncode, json.loads(refused.stdout))
    unknown = two.alpha.run("wait", "nobody")
    assert (4, True) == (unknown.returncode, "mail, web" in unknown.stderr)
    assert 2 == two.alpha.run("wait").returncode


def test_a_pause_holds_the_standby_and_nothing_is_lost(two: Two) -> None:
    """Receiving goes on while applying is paused: `--durable` is reached, `--applied` ends with the reason."""
    two.beta.json("pause", "web", "--apply")
    (two.source / "while paused").write_text("kept")
    two.alpha.json("wait", "web", "--durable", "--timeout", "60")
    late = two.alpha.run("wait", "web", "--applied", "--timeout", "60")
    assert (3, True) == (late.returncode, "applying is paused on beta until it is resumed" in late.stderr)
    assert not (two.target / "while paused").exists()
    assert 1 == two.beta.run("check").returncode
    two.beta.json("resume", "web", "--apply")
    two.alpha.json("wait", "web", "--applied", "--timeout", "60")
    assert "kept" == (two.target / "while paused").read_text()


def test_two_datasets_do_not_meet(two: Two) -> None:
    """Both arrive, each where it belongs; what is excluded does not; one that is paused does not hold up the other."""
    excluded = snapshot(str(two.source)).keys() - snapshot(str(two.target)).keys()
    assert ({b"draft.tmp"}, []) == (excluded, differences(str(two.mail), str(two.mail_copy)))
    two.alpha.json("pause", "web", "--send")
    (two.mail / "inbox").write_text("more")
    two.alpha.json("wait", "mail", "--applied", "--timeout", "60")
    assert "more" == (two.mail_copy / "inbox").read_text()
    two.alpha.json("resume", "web", "--send")
    two.alpha.json("wait", "web", "--applied", "--timeout", "60")


def test_a_clean_stop_is_quick_and_a_restart_does_nothing_again(two: Two) -> None:
    """SIGTERM: exit code 0 within five seconds, everything that was written before is there. After the start: nothing is
    rewritten on the standby, no chunk travels again, and both go on with the same commit."""
    two.alpha.json("wait", "web", "--applied", "--timeout", "60")
    for agent in two.agents:
        assert stopped(agent) == (0, "")
    before = inodes(two.target)
    commit = two.alpha.config.parent / "alpha/datasets/web/catalog.db"
    assert commit.exists()
    packs = packs_of(two)
    two.start()
    two.alpha.up()
    two.alpha.json("wait", "web", "--applied", "--timeout", "60")
    two.alpha.json("reconcile", "web")
    after = streaming(two.alpha)["web"]
    two.alpha.json("wait", "web", "--applied", "--timeout", "60")
    assert before == inodes(two.target)
    assert packs == packs_of(two)
    assert 0 == after["watch"]["by_event"] + after["watch"]["by_reconcile"]
    assert after["commit"]["digest"] == streaming(two.beta)["web"]["commit"]["digest"]


def stopped(agent: Agent) -> tuple[int, str]:
    """Ask an agent to stop; its exit code, and what took too long."""
    assert agent.process is not None
    begun = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    code = agent.ended(30)
    took = time.monotonic() - begun
    return code, "" if took < 15 else f"{agent.name} took {took:.1f} s"


def inodes(root: Path) -> dict[bytes, tuple[int, int]]:
    """Inode and change time of everything below ``root``: neither moves when nothing is rewritten."""
    found = {}
    for path in snapshot(str(root)):
        st = os.lstat(os.path.join(os.fsencode(root), path))
        found[path] = st.st_ino, st.st_ctime_ns
    return found


def packs_of(two: Two) -> dict[str, int]:
    """What the secondary's packs hold of ``web``, in bytes by file."""
    packs = two.home(two.beta) / "vault" / "packs"
    return {path.name: path.stat().st_size for path in packs.iterdir()}
