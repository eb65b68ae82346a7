"""`hikae rollback` with real agents: the primary's tree goes back in place, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.agents import Pair, fleet, pair
from fakes.eventually import eventually
from fakes.trees import snapshot

STEPS = ["stop", "writers", "barrier", "generation", "commit", "converge", "walk", "start"]
HOOKS = """[dataset.hooks]
stop = ["sh", "-c", "echo $HIKAE_DATASET $HIKAE_ROLE"]
start = ["sh", "-c", "echo starts"]
"""
#: Content that differs from run to run would tell nothing; what matters is that files have one chunk, several, and many parts.
SIZES = (0, 10, 3_000, 300_000, 6_000_000)

#: Rollbacks that are killed; ``make soak`` has more.
KILLS = max(6, int(os.environ.get("HIKAE_SOAK_SEEDS", "0")))


def _fill(tree: Path, rng: random.Random) -> None:
    for directory in ("a", "b/c", "d", "e"):
        (tree / directory).mkdir(parents=True)
        for number, size in enumerate(SIZES):
            (tree / directory / f"f{number}").write_bytes(rng.randbytes(size))
    (tree / "link").symlink_to("a/f1")
    os.link(tree / "a/f2", tree / "d/linked")


def _spoil(tree: Path, rng: random.Random) -> None:
    """What a bad release does."""
    shutil.rmtree(tree / "a")
    (tree / "b").rename(tree / "moved")
    (tree / "d/f1").write_text("bad")
    with (tree / "d/f4").open("r+b") as file:
        file.seek(1_000_000)
        file.write(rng.randbytes(50_000))
    (tree / "e/f2").chmod(0o600)
    (tree / "new").mkdir()
    (tree / "new/file").write_text("new")
    (tree / "link").unlink()
    (tree / "link").mkdir()


def _was(tree: Path) -> dict[bytes, Any]:
    found = snapshot(str(tree))
    return {path: seen for path, seen in found.items() if not path.startswith(b".hikae")}


def _displaced(both: Pair) -> list[Path]:
    place = both.source / ".hikae/displaced"
    return sorted(place.iterdir()) if place.exists() else []


def _taken(both: Pair) -> str:
    """A generation of what stands; its name."""
    return str(both.beta.json("generations", "take", "web")["generation"])


@pytest.fixture
def both() -> Iterator[Pair]:
    """Two agents that replicate a small tree."""
    with pair(HOOKS) as one:
        _fill(one.source, random.Random(7))
        one.begin()
        yield one


def test_the_tree_is_what_it_was_and_the_standby_follows(both: Pair) -> None:
    """In everything; what stood before is a generation, nothing is displaced, and the answer is as documented."""
    good = _taken(both)
    was = _was(both.source)
    _spoil(both.source, random.Random(8))
    done = both.alpha.json("rollback", "web", "--generation", good, "--yes")
    assert (was, STEPS) == (_was(both.source), [step["name"] for step in done["steps"]])
    assert ("web", 1, "primary", [], True) == (
        done["dataset"],
        done["epoch"],
        done["role"],
        done["lost"],
        done["rto_ms"] == sum(step["ms"] for step in done["steps"]),
    )
    assert ("stop: done in", "web primary") == (done["steps"][0]["result"][:13], done["steps"][0]["result"][-11:])
    assert [good, done["generation_before"]] == [
        one["generation"] for one in both.alpha.json("generations", "list", "web")
    ]
    assert [] == _displaced(both)
    both.mirror()
    # What is written afterwards is captured as ever.
    (both.source / "a/f1").write_text("after")
    both.mirror()


def test_back_and_back_again(both: Pair) -> None:
    """The generation from before leads forward again."""
    good = _taken(both)
    _spoil(both.source, random.Random(9))
    spoiled = _was(both.source)
    before = both.alpha.json("rollback", "web", "--generation", good, "--yes")["generation_before"]
    both.alpha.json("rollback", "web", "--generation", before, "--yes")
    assert spoiled == _was(both.source)
    both.mirror()


def test_a_mark_and_a_time_lead_back(both: Pair) -> None:
    """Any moment of the history can be named, also by a time without a zone; a dry run changes nothing."""
    both.alpha.json("mark", "web", "release-7")
    time = both.alpha.run("mark", "web", "release-8", "--json").stdout
    was = _was(both.source)
    _spoil(both.source, random.Random(10))
    spoiled = _was(both.source)
    plan = both.alpha.json("rollback", "web", "--at", "release-7", "--dry-run")
    assert (spoiled, "beta", True) == (_was(both.source), plan["node"], "release-7" in plan["moment"])
    both.alpha.wait()
    both.alpha.json("rollback", "web", "--at", json.loads(time)["time"], "--yes")
    assert was == _was(both.source)


def test_who_has_a_file_open_is_named(both: Pair) -> None:
    """With its process and the path, for an open file and for a shared mapping; nothing is changed, and the start hook ran."""
    good = _taken(both)
    _spoil(both.source, random.Random(11))
    spoiled = _was(both.source)
    for code in ("f = open(p, 'r+b')", "f = open(p, 'r+b'); m = mmap.mmap(f.fileno(), 0); f.close()"):
        path = both.source / "d/f2"
        script = f"import mmap, sys; p = {str(path)!r}; {code}; print('has it', flush=True); sys.stdin.read()"
        holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert holder.stdout is not None
            assert b"has it\n" == holder.stdout.readline()
            refused = both.alpha.run("rollback", "web", "--generation", good, "--yes", "--json")
            told = json.loads(refused.stdout)
            assert (3, True, False) == (refused.returncode, told["refused"], told["gates"][0]["ok"])
            assert (True, True) == (str(path) in refused.stderr, f"process {holder.pid}" in refused.stderr)
        finally:
            holder.communicate(b"")
    assert spoiled == _was(both.source)
    both.mirror()


def test_it_is_forced_past_one_who_writes(both: Pair) -> None:
    """What he has open is not pulled away under him: it is in `.hikae/displaced`, with what he writes afterwards."""
    good = _taken(both)
    with (both.source / "d/f1").open("w") as file:
        file.write("before")
        file.flush()
        done = both.alpha.json("rollback", "web", "--generation", good, "--yes", "--force")
        file.write(" and after")
    kept = _displaced(both)
    told = [one for one in done["lost"] if str(both.source / "d/f1") in one]
    assert (["before and after"], 1) == ([one.read_text() for one in kept], len(told))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "one of --at and --generation is needed"),
        (("--at", "02:13", "--generation", "latest"), 2, "one of --at and --generation is needed"),
        (("--generation", "nope"), 4, "no generation"),
        (("--at", "2030-01-01 00:00"), 3, "in the future"),
        (("--at", "1999-01-01 00:00"), 4, "reaches back"),
        (("--at", "no such mark"), 4, "no mark"),
        (("--generation", "latest", "--from", "gamma"), 4, "these keep history of web: beta"),
    ],
    ids=["nothing", "both", "no generation", "future", "too old", "no mark", "no such node"],
)
def test_what_cannot_be_named_is_said(both: Pair, arguments: tuple[str, ...], code: int, words: str) -> None:
    """With what may be named instead; nothing is changed."""
    _taken(both)
    was = _was(both.source)
    failed = both.alpha.run("rollback", "web", *arguments, "--yes")
    assert (code, True, was) == (failed.returncode, words in failed.stderr, _was(both.source)), failed.stderr


def test_a_standby_goes_back_and_stays_there_until_it_is_resumed(both: Pair) -> None:
    """Also over a restart; receiving goes on, and the primary's tree is not touched."""
    good = _taken(both)
    was = _was(both.source)
    _spoil(both.source, random.Random(13))
    spoiled = _was(both.source)
    both.alpha.wait()
    done = both.beta.json("rollback", "web", "--generation", good, "--yes")
    assert ("standby", was, spoiled) == (done["role"], _was(both.target), _was(both.source))
    both.beta.told("rolled-back", "stays there")
    (both.source / "later").write_text("later")
    both.alpha.wait("durable")
    both.beta.restart()
    both.beta.told("rolled-back", "stays there")
    assert was == _was(both.target)
    assert True is both.beta.json("verify", "web", "--deep")["equal"]
    both.beta.json("resume", "web")
    both.mirror()
    assert "rolled-back" not in both.beta.problems()


def test_without_the_node_that_keeps_history_nothing_is_changed(both: Pair) -> None:
    """It is named, before the application is stopped."""
    good = _taken(both)
    both.beta.kill()
    was = _was(both.source)
    failed = both.alpha.run("rollback", "web", "--generation", good, "--yes")
    assert (69, was, True) == (failed.returncode, _was(both.source), "beta" in failed.stderr)


def test_a_source_that_is_gone_is_not_brought_back_to(both: Pair) -> None:
    """What holds the capture is said, with what leads out of it."""
    good = _taken(both)
    both.source.rename(both.base / "elsewhere")
    both.source.mkdir()
    both.alpha.told("root-replaced")
    refused = both.alpha.run("rollback", "web", "--generation", good, "--yes")
    assert (3, []) == (refused.returncode, list(both.source.iterdir())), refused.stderr


def test_a_second_standby_follows(seed: int) -> None:
    """One that does not have the moment's chunks takes them from the tree; where several keep history, one is named."""
    with fleet("alpha", "beta", "gamma") as three:
        tree = three.datasets["web"].paths["alpha"]
        _fill(tree, random.Random(seed))
        three.begin()
        alpha: Any = three["alpha"]
        good = three["beta"].json("generations", "take", "web")["generation"]
        was = _was(tree)
        _spoil(tree, random.Random(seed + 1))
        assert 2 == alpha.run("rollback", "web", "--generation", good, "--yes").returncode
        alpha.json("rollback", "web", "--generation", good, "--from", "beta", "--yes")
        assert was == _was(tree)
        three.mirror()


def _killed_after(both: Pair, good: str, seconds: float) -> None:
    """Begin a rollback and kill the agent so long after it was typed."""
    typed = subprocess.Popen(
        [*both.alpha.program, "--config", str(both.alpha.config), "rollback", "web", "--generation", good, "--yes"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    record = both.home(both.alpha) / "rollback.json"
    eventually(lambda: record.exists() or typed.poll() is not None)
    threading.Event().wait(seconds)
    both.alpha.kill()
    typed.wait(60)


@pytest.mark.parametrize("round", range(KILLS))
def test_killed_in_the_middle_it_finishes(both: Pair, seed: int, round: int) -> None:
    """At any moment of any step: the next start goes on, and the tree is what it was, or what it would have been without."""
    rng = random.Random(seed + round)
    good = _taken(both)
    was = _was(both.source)
    _spoil(both.source, rng)
    spoiled = _was(both.source)
    both.alpha.wait()
    _killed_after(both, good, rng.uniform(0, 0.08) * (round + 1))
    both.alpha.start()
    both.alpha.up()
    eventually(lambda: not (both.home(both.alpha) / "rollback.json").exists(), 90)
    both.mirror()
    assert _was(both.source) in (was, spoiled)
    assert {} == {code: one for code, one in both.alpha.problems().items() if code == "rolling-back"}


class _Client:
    """Writes a new version of one of its files again and again, each closed before the next."""

    def __init__(self, tree: Path) -> None:
        self.written: dict[str, list[bytes]] = {}
        self._tree = tree
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> _Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._ends.wait(0.002):
            number += 1
            name = f"client-{number % 20}"
            data = b"%d of %s\n" % (number, name.encode())
            with (self._tree / name).open("ab") as file:
                file.write(data)
            self.written.setdefault(name, []).append(data)


def test_what_a_client_writes_all_the_time_is_somewhere(both: Pair) -> None:
    """In the tree, in `.hikae/displaced`, or in the generation from before."""
    for number in range(20):
        (both.source / f"client-{number}").write_bytes(b"first\n")
    good = _taken(both)
    with _Client(both.source) as client:
        eventually(lambda: len(client.written) == 20)
        done = both.alpha.json("rollback", "web", "--generation", good, "--yes", "--force")
    both.mirror()
    back = both.base / "before"
    both.beta.json("restore", "web", "--generation", done["generation_before"], "--to", str(back))
    displaced = _displaced(both)
    for name, lines in client.written.items():
        places = [both.source / name, back / name, *(one for one in displaced if one.name.endswith(f"-{name}"))]
        found = set(b"".join(one.read_bytes() for one in places if one.exists()).splitlines(keepends=True))
        assert set() == set(lines) - found


def test_an_operator_who_leaves_does_not_end_it(both: Pair) -> None:
    """Who interrupts the command finds the tree brought back all the same."""
    good = _taken(both)
    was = _was(both.source)
    _spoil(both.source, random.Random(12))
    command = ["--config", str(both.alpha.config), "rollback", "web", "--generation", good, "--yes"]
    typed = subprocess.Popen([*both.alpha.program, *command], cwd=Path(__file__).parents[2])
    eventually(lambda: (both.home(both.alpha) / "rollback.json").exists() or typed.poll() is not None)
    typed.send_signal(signal.SIGKILL)
    typed.wait(30)
    eventually(lambda: not (both.home(both.alpha) / "rollback.json").exists())
    both.mirror()
    assert was == _was(both.source)
