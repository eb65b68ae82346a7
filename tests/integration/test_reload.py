"""Datasets and peers that come, change and go by `hikae reload`, while the others run on."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.api.client import AdminClient
from agent.core.errors import Exit, NotFound
from agent.operations.waiting import WaitRequest
from fakes.agents import Agent, Fleet, Shared, fleet, pair
from fakes.eventually import eventually
from fakes.proxy import proxy


def another(both: Fleet, name: str) -> Shared:
    """A dataset from the first node to the second, with a file in its source."""
    one, two = (agent.name for agent in both.agents[:2])
    made = Shared(name, one, (two,), {one: both.base / f"{name}-source", two: both.base / f"{name}-standby"})
    made.paths[one].mkdir(exist_ok=True)
    (made.paths[one] / "first").write_text(name)
    return made


def add(both: Fleet, made: Shared, agents: Sequence[Agent]) -> None:
    """Write it into the files and have them read again."""
    for agent in agents:
        agent.config.write_text(agent.config.read_text() + made.config())
        assert [f"dataset[{made.name}]"] == agent.json("reload")["taken"]


@dataclass(frozen=True, slots=True)
class Running:
    """When the call of a dataset began, at its other end: it begins anew with its capture and with its apply. ``looked``: when
    its primary's last look at everything ended, and how often lost events had asked for one by then."""

    since: str
    looked: tuple[str, int]


def run_on(both: Fleet, name: str = "web", peer: str = "beta") -> Running:
    """What tells whether a dataset ran on."""
    watch = both.agents[0].look(name)["watch"]
    return Running(both[peer].look(name)["peers"][0]["since"], (watch["last_reconcile"], watch["overflows"]))


def ran_on(before: Running, now: Running) -> bool:
    """Whether neither its call nor its capture was touched. All events of a filesystem come by one queue of the kernel's: where
    it overflowed, by whatever else was written there, all had to be looked at (law 4), and only the call tells."""
    lost = now.looked[1] > before.looked[1]
    return before.since == now.since and (lost or before.looked == now.looked)


def open_below(agent: Agent, place: Path) -> list[str]:
    """What the agent has open below a directory."""
    assert agent.process is not None
    found = []
    for one in Path(f"/proc/{agent.process.pid}/fd").iterdir():
        with suppress(OSError):
            found.append(os.readlink(one))
    return [path for path in found if path.startswith(f"{place}/")]


def codes(agent: Agent, name: str) -> list[str]:
    """The events of a dataset."""
    return [row["code"] for row in agent.json("events") if row["dataset"] == name]


def test_a_dataset_comes_and_goes_while_another_runs_on() -> None:
    """Added on both nodes it is replicated; taken out it is closed and no longer listed, its state stays, and an event tells;
    put back it goes on in its epoch. The other dataset's calls, capture and apply are never touched."""
    with pair() as both:
        both.begin()
        before = run_on(both)
        texts = [agent.config.read_text() for agent in both.agents]
        mail = another(both, "mail")
        add(both, mail, both.agents)
        both.alpha.wait(name="mail")
        both.must_equal(mail)
        for agent, text in zip(both.agents, texts, strict=True):
            agent.config.write_text(text)
            assert ["dataset[mail]"] == agent.json("reload")["taken"]
            assert ["web"] == [row["name"] for row in agent.json("status")["datasets"]]
            assert (True, []) == (
                bool(open_below(agent, agent.state / "datasets/web")),
                open_below(agent, agent.state / "datasets/mail"),
            )
            assert ("dataset-gone", True) == (codes(agent, "mail")[-1], (agent.state / "datasets/mail").is_dir())
        (mail.paths["alpha"] / "second").write_text("while nobody looked")
        add(both, mail, both.agents)
        both.alpha.wait(name="mail")
        both.must_equal(mail)
        assert 1 == both.alpha.dataset("mail")["epoch"]
        (both.source / "after").write_text("web runs on")
        both.mirror()
        assert ran_on(before, run_on(both))


def without(text: str, node: Agent) -> str:
    """A configuration in which a node is no peer and keeps no standby."""
    peer = f'[[peer]]\nname = "{node.name}"\naddress = "127.0.0.1:{node.port}"\n'
    return re.sub(rf', {node.name} = "[^"]*"', "", text.replace(peer, "").replace(f', "{node.name}"]', "]"))


def test_a_standby_joins_and_leaves() -> None:
    """A third node comes as a peer and keeps a standby, then goes again; another dataset of the first two runs on."""
    with fleet("alpha", "beta", "gamma") as three:
        alpha, beta, gamma = three.agents
        mail, web = another(three, "mail"), three.datasets["web"]
        full = {agent: agent.config.read_text() for agent in three.agents}
        less = {agent: without(full[agent], gamma) + mail.config() for agent in (alpha, beta)}
        for agent in (alpha, beta):
            agent.config.write_text(less[agent])
            agent.start()
        for agent in (alpha, beta):
            agent.up()
        alpha.wait(name="mail")
        before = run_on(three, "mail")
        for agent in (alpha, beta):
            agent.config.write_text(full[agent] + mail.config())
            assert {"peer[gamma]", "dataset[web].standby", "dataset[web].path"} == set(agent.json("reload")["taken"])
        gamma.start()
        (web.paths["alpha"] / "f").write_text("for both")
        three.mirror()
        for agent in (alpha, beta):
            agent.config.write_text(less[agent])
            assert {"peer[gamma]", "dataset[web].standby", "dataset[web].path"} == set(agent.json("reload")["taken"])
        gamma.connected(False)
        (web.paths["alpha"] / "g").write_text("for beta")
        alpha.wait()
        assert ["beta"] == [peer["name"] for peer in alpha.look()["peers"]]
        assert ran_on(before, run_on(three, "mail"))


def test_a_peer_that_moves_is_dialled_where_it_is_now() -> None:
    """Its call is another one; capture, and the call of the other standby of the same dataset, run on."""
    with fleet("alpha", "beta", "gamma") as three, proxy(three["gamma"].port) as wire:
        three.begin()
        alpha = three["alpha"]
        kept, moved = run_on(three), run_on(three, peer="gamma")
        three.reach_through("alpha", "gamma", wire.port)
        assert ["peer[gamma].address"] == alpha.json("reload")["taken"]
        (three.datasets["web"].paths["alpha"] / "f").write_text("over another way")
        three.mirror()
        assert ran_on(kept, run_on(three))
        assert run_on(three, peer="gamma").since > moved.since
        assert wire.carried > 0


def test_what_is_kept_of_a_dataset_is_removed_once_it_is_not_configured() -> None:
    """Refused before, with what to type; then it goes on either node, a vault elsewhere too, and the trees stay. Configured
    again it begins anew."""
    with pair() as both:
        mail = another(both, "mail")
        vaults = both.base / "vaults"
        texts = [agent.config.read_text() for agent in both.agents]
        for agent in both.agents:
            agent.config.write_text(agent.config.read_text() + mail.config() + f'adopt = true\nvault = "{vaults}"\n')
        both.begin()
        both.alpha.wait(name="mail")
        for agent, text in zip(both.agents, texts, strict=True):
            refused = agent.run("dataset", "remove", "mail", "--yes")
            assert (Exit.REFUSED, True) == (refused.returncode, "then: hikae reload; then:" in refused.stderr)
            full = agent.config.read_text()
            agent.config.write_text(text)
            agent.json("reload")
            dry = agent.json("dataset", "remove", "mail", "--dry-run")
            assert (False, True) == (dry["removed"], (agent.state / "datasets/mail").is_dir())
            done = agent.json("dataset", "remove", "mail", "--yes")
            assert (True, dry["parts"], ["web"]) == (
                done["removed"],
                done["parts"],
                os.listdir(agent.state / "datasets"),
            )
            assert Exit.NOT_FOUND == agent.run("dataset", "remove", "mail", "--yes").returncode
            told = [row["message"] for row in agent.json("events") if "typed: dataset remove" in row["message"]]
            assert (3, 2) == tuple(sum((": refused (" in one) is word for one in told) for word in (False, True)), told
            agent.config.write_text(full)
        assert [] == os.listdir(vaults)
        both.must_equal(mail)
        for agent in both.agents:
            assert ["dataset[mail]"] == agent.json("reload")["taken"]
        (mail.paths["alpha"] / "second").write_text("anew")
        both.alpha.wait(name="mail")
        both.must_equal(mail)


def test_a_dataset_is_opened_anew_for_a_rule_and_the_other_runs_on() -> None:
    """`exclude` takes effect by a reload; both nodes are of one mind again, and a pause stays."""
    with pair() as both:
        mail = another(both, "mail")
        for agent in both.agents:
            agent.config.write_text(agent.config.read_text() + mail.config())
        both.begin()
        both.alpha.wait(name="mail")
        (both.source / "kept").write_text("in")
        both.mirror()
        before = run_on(both, "mail")
        assert 0 == both.alpha.run("pause", "web", "--send").returncode
        for agent in both.agents:
            text = agent.config.read_text()
            agent.config.write_text(text.replace('kind = "tree"', 'kind = "tree"\nexclude = ["*.tmp"]', 1))
            assert ["dataset[web].exclude"] == agent.json("reload")["taken"]
        assert ["send"] == [one["what"] for one in both.alpha.look()["pauses"]]
        both.alpha.json("resume", "web")
        (both.source / "y.tmp").write_text("left out")
        (both.source / "kept").write_text("2")
        both.alpha.wait()
        assert ("2", False) == ((both.target / "kept").read_text(), (both.target / "y.tmp").exists())
        assert [{}, {}] == [agent.problems() for agent in both.agents]
        assert ran_on(before, run_on(both, "mail"))


def test_a_changed_path_is_told_and_undone() -> None:
    """As at a restart: another directory is no standby, and no source, of what was. With the old path again all goes on."""
    with pair() as both:
        (both.source / "f").write_text("1")
        both.begin()
        texts = [agent.config.read_text() for agent in both.agents]
        elsewhere = both.base / "elsewhere"
        elsewhere.mkdir()
        both.alpha.config.write_text(texts[0].replace(f'"{both.source}"', f'"{elsewhere}"'))
        assert ["dataset[web].path"] == both.alpha.json("reload")["taken"]
        both.alpha.told("root-replaced")
        assert "1" == (both.target / "f").read_text()
        both.alpha.config.write_text(texts[0])
        both.alpha.json("reload")
        both.alpha.cleared("root-replaced")
        (both.source / "f").write_text("2")
        both.mirror()


def test_a_dataset_is_renamed() -> None:
    """It begins anew under the new name, takes its standby over, and what the old one left is removed."""
    with pair("adopt = true\n") as both:
        for number in range(20):
            (both.source / f"f{number}").write_text(f"{number}")
        both.begin()
        for agent in both.agents:
            agent.config.write_text(agent.config.read_text().replace('name = "web"', 'name = "site"'))
            assert {"dataset[web]", "dataset[site]"} == set(agent.json("reload")["taken"])
        (both.source / "f0").write_text("renamed")
        both.alpha.wait(name="site")
        both.must_equal(both.datasets["web"])
        for agent in both.agents:
            assert agent.json("dataset", "remove", "web", "--yes")["removed"]
            assert [] == list(agent.problems("site"))


def test_a_reload_while_a_first_sync_runs(rng: random.Random) -> None:
    """A dataset comes meanwhile, is through before, and the first sync goes on in its call; a dataset that goes amid its own
    first sync goes, and comes to its end when it is back."""
    slow = '[dataset.limits]\nfirst_sync = [{ rate = "200kB/s" }]\n'
    with pair(slow) as both:
        (both.source / "large").write_bytes(rng.randbytes(8_000_000))
        both.start()
        for agent in both.agents:
            agent.up()
        eventually(lambda: both.beta.peer("alpha").get("connected"))
        since = both.beta.peer("alpha")["since"]
        texts = [agent.config.read_text() for agent in both.agents]
        mail = another(both, "mail")
        add(both, mail, both.agents)
        both.alpha.wait(name="mail")
        assert (since, "first-sync") == (both.beta.peer("alpha")["since"], both.alpha.look()["state"])
        nothing = [text[: text.index("[[dataset]]")] for text in texts]
        for agent, text in zip(both.agents, nothing, strict=True):
            agent.config.write_text(text + mail.config())
            assert ["dataset[web]"] == agent.json("reload")["taken"]
        for agent, text in zip(both.agents, texts, strict=True):
            agent.config.write_text(text.replace(slow, "") + mail.config())
            agent.json("reload")
        both.mirror()


def test_a_dataset_that_goes_is_waited_for_no_longer() -> None:
    """Who types `hikae wait` without an end is told at once."""
    with pair() as both, ThreadPoolExecutor(1) as pool:
        both.begin()
        both.beta.kill()
        (both.source / "f").write_text("for nobody")
        begun = threading.Event()
        client = AdminClient(str(both.alpha.socket))
        waiting = pool.submit(client.ask, WaitRequest("web"), lambda _: begun.set())
        assert begun.wait(30)
        text = both.alpha.config.read_text()
        both.alpha.config.write_text(text[: text.index("[[dataset]]")])
        both.alpha.json("reload")
        with pytest.raises(NotFound, match="no longer configured"):
            waiting.result(60)


def test_reloads_at_once_and_a_storm_of_signals(rng: random.Random) -> None:
    """Files change all the while, wrong ones among them, and the last state of them holds; the other dataset runs on."""
    with pair() as both, ThreadPoolExecutor(4) as pool:
        both.begin()
        alpha = both.alpha
        assert alpha.process is not None
        mail = another(both, "mail")
        before, text = run_on(both), alpha.config.read_text()
        texts = [text, text + mail.config(), text + mail.config() + 'watch = "polling"\n', "[node\n"]
        asked = []
        for _ in range(12):
            replaced = alpha.config.with_suffix(".new")
            replaced.write_text(rng.choice(texts))
            replaced.rename(alpha.config)
            asked += [pool.submit(alpha.run, "reload") for _ in range(2)]
            for _ in range(50):
                alpha.process.send_signal(signal.SIGHUP)
        assert {one.result(60).returncode for one in asked} <= {Exit.DONE, Exit.CONFIG}
        alpha.config.write_text(text + mail.config())
        alpha.json("reload")
        both.beta.config.write_text(both.beta.config.read_text() + mail.config())
        both.beta.json("reload")
        alpha.wait(name="mail")
        both.must_equal(mail)
        (both.source / "f").write_text("still")
        both.mirror()
        assert ran_on(before, run_on(both))
