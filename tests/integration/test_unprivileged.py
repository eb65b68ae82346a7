"""Both agents, and both trees, by a user without privileges: it works, and says what it cannot do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.agents import Pair
from fakes.eventually import eventually
from fakes.trees import differences
from fakes.unprivileged import Nobody


@dataclass(frozen=True, slots=True)
class Theirs:
    """A running pair of that user."""

    user: Nobody
    both: Pair

    def mirror(self) -> None:
        """Everything that was written is applied, and both trees are equal."""
        self.both.alpha.json("wait", "web", "--applied", "--timeout", "60")
        assert [] == differences(str(self.both.source), str(self.both.target))


@pytest.fixture
def nobody(tmpfs_dir: Path) -> Nobody:
    """The user; tests are skipped where none can run the interpreter."""
    user = Nobody(tmpfs_dir)
    reason = user.why_not()
    if reason:
        pytest.skip(reason)
    return user


@pytest.fixture
def theirs(nobody: Nobody, tmpfs_dir: Path) -> Iterator[Theirs]:
    """Both agents, synced."""
    base = tmpfs_dir / "pair"
    base.mkdir()
    both = Pair(base)
    nobody.owns(base)
    for agent in both.agents:
        agent.program = nobody.program
    nobody.does(f"cd {both.source}; mkdir -p a/b; echo one > a/b/one; ln a/b/one two; ln -s a/b/one three; mkfifo pipe")
    try:
        both.start()
        for agent in both.agents:
            agent.up()
        made = Theirs(nobody, both)
        made.mirror()
        yield made
    except BaseException:
        for agent in both.agents:
            print(f"--- {agent.name}:\n{agent.tail()}")
        raise
    finally:
        for agent in both.agents:
            agent.kill()


def test_replication_works_and_the_watcher_is_named(theirs: Theirs) -> None:
    """inotify is chosen, and status says why not the better one; changes arrive without being asked for."""
    both = theirs.both
    watch = both.alpha.dataset()["watch"]
    assert ("inotify", "fanotify cannot be used: it needs root (CAP_SYS_ADMIN)") == (watch["kind"], watch["why"])
    theirs.user.does(
        f"cd {both.source}; mv a renamed; echo more >> renamed/b/one; mkdir -p deep/er; echo x > deep/er/x; rm three pipe;"
        "chmod 2750 deep; chmod 600 two; touch -d 2001-02-03T04:05:06.7 deep/er/x; mv two deep"
    )
    theirs.mirror()
    theirs.user.does(
        f"cd {both.source}; for i in $(seq 300); do echo $i > deep/$i; done; rm -r renamed; mv deep shallow"
    )
    theirs.mirror()
    assert 0 == both.alpha.dataset()["watch"]["by_reconcile"]
    report = both.beta.json("verify", "web", "--deep")
    assert ([], True) == (report["differences"], report["equal"])


def test_what_cannot_be_read_is_a_named_problem_that_clears(theirs: Theirs) -> None:
    """A file and a directory: each is named with what to do, the rest goes on, and both arrive once they can be read."""
    both = theirs.both
    # The directory is shut from its first moment: what is in it is never seen by itself.
    theirs.user.does(f"cd {both.source}; umask 777; echo secret > file; mkdir dir; umask 22; echo ok > rest")
    (both.source / "dir/x").write_text("x\n")
    theirs.user.owns(both.source / "dir/x")
    both.alpha.json("wait", "web", "--applied", "--timeout", "60")
    assert "ok\n" == (both.target / "rest").read_text()
    problems = {one["path"]: one for one in both.alpha.dataset()["problems"]}
    assert {"file", "dir"} == problems.keys()
    for problem in problems.values():
        assert ("unreadable", "warning") == (problem["code"], problem["severity"])
        assert "ermission denied" in problem["message"]
        assert "no standby has any of it" in problem["message"]
        assert problem["remedy"]
    assert 1 == both.alpha.run("check").returncode
    theirs.user.does(f"cd {both.source}; chmod 600 file; chmod 700 dir")
    theirs.mirror()
    assert ("secret\n", "x\n") == ((both.target / "file").read_text(), (both.target / "dir/x").read_text())
    assert [] == both.alpha.dataset()["problems"]


def test_the_demo_works_without_privileges(nobody: Nobody) -> None:
    """It ends with identical trees, says which watcher it took, and leaves nothing behind."""
    done = nobody.hikae("demo", "--json", timeout=240)
    assert 0 == done.returncode, done.stderr
    result = json.loads(done.stdout)
    assert (True, True) == (result["identical"], result["lag_ms_p50"] > 0)
    assert "watching by inotify" in done.stderr
    assert [] == list(nobody.temporary.iterdir())


def test_a_file_that_cannot_be_read_any_more_holds_up_nobody(theirs: Theirs) -> None:
    """A standby that was away gets all else and keeps its last version of the one; both name it, and it comes by itself."""
    both = theirs.both
    secret = both.source / "secret"
    secret.write_bytes(b"one" * 1000)
    secret.chmod(0o644)
    theirs.user.owns(secret)
    theirs.mirror()
    both.beta.kill()
    secret.write_bytes(b"two" * 1000)
    both.alpha.json("reconcile", "web")
    secret.chmod(0o600)
    os.lchown(secret, 0, 0)
    theirs.user.does(f"echo important > {both.source}/important")
    both.beta.start()
    both.beta.up()
    both.alpha.json("wait", "web", "--applied", "--timeout", "60")
    owed = [[one["path"] for one in agent.dataset()["problems"] if one["code"] == "owed"] for agent in both.agents]
    standing = (both.target / "important").exists(), (both.target / "secret").read_bytes()
    assert ([["secret"]] * 2, (True, b"one" * 1000)) == (owed, standing)
    verified = both.beta.json("verify", "web", "--deep")
    assert (True, [], 1, ["secret"]) == tuple(verified[key] for key in ("equal", "differences", "owed", "owed_paths"))
    secret.chmod(0o644)
    theirs.user.owns(secret)
    both.alpha.json("reconcile", "web")
    eventually(lambda: both.beta.dataset()["owed"] == 0 == both.alpha.dataset()["owed"])
    eventually(lambda: (both.target / "secret").read_bytes() == b"two" * 1000)
    theirs.mirror()
    assert 0 == both.beta.json("verify", "web", "--deep")["owed"]
