"""What an operator stops for a while goes on by itself, and `verify` finds what a stranger did to the standby."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from agent.core.errors import Exit
from fakes.agents import Pair, pair
from fakes.eventually import eventually


def arrived(both: Pair, name: str) -> bool:
    """Whether a file is on the standby."""
    return (both.target / name).exists()


def durable(both: Pair) -> int:
    """The newest commit on the secondary."""
    return int(both.beta.look()["commit"]["seq"])


def is_over(begun: float) -> bool:
    """Whether a pause of 4 s may be over that was asked for after ``begun`` (monotonic seconds)."""
    return time.monotonic() - begun > 4


def test_sending_paused_for_a_while_goes_on_by_itself() -> None:
    """`pause --send --for 4s`: nothing is sent, status says until when, then everything arrives."""
    with pair() as both:
        both.begin()
        seq, begun = durable(both), time.monotonic()
        said = both.alpha.run("pause", "web", "--send", "--for", "4s")
        assert (0, "") == (said.returncode, said.stderr)
        assert said.stdout.startswith("web: paused: send until ")
        assert "paused" == both.alpha.look()["state"] or is_over(begun)
        (both.source / "file").write_text("waits")
        done = both.alpha.run("wait", "web", "--durable", "--timeout", "500ms")
        assert Exit.TRY_AGAIN == done.returncode or is_over(begun)
        assert seq == durable(both) or is_over(begun)
        eventually(lambda: arrived(both, "file"))
        assert is_over(begun)
        both.mirror()
        assert "paused" != both.alpha.look()["state"]


def test_applying_paused_for_a_while_goes_on_by_itself() -> None:
    """`pause --apply --for 4s` on the secondary: what comes is stored, the standby stands still, then it follows."""
    with pair() as both:
        both.begin()
        begun = time.monotonic()
        assert 0 == both.beta.run("pause", "web", "--apply", "--for", "4s").returncode
        assert ["apply"] == [pause["what"] for pause in both.beta.look()["pauses"]] or is_over(begun)
        (both.source / "file").write_text("stored, not applied")
        both.alpha.wait("durable")
        assert not arrived(both, "file") or is_over(begun)
        eventually(lambda: arrived(both, "file"))
        assert is_over(begun)
        both.mirror()


def test_pauses_are_ended_by_hand_and_typed_where_they_belong() -> None:
    """Without `--for` a pause lasts until `resume`; the other node's half is refused with the place to type it."""
    with pair() as both:
        both.begin()
        assert Exit.REFUSED == both.alpha.run("pause", "web", "--apply").returncode
        done = both.beta.run("pause", "web", "--send")
        assert (Exit.REFUSED, True) == (done.returncode, "alpha" in done.stderr)
        assert "cannot resume (web)" in both.alpha.run("resume", "web", "--apply").stderr
        assert 0 == both.beta.run("pause", "web", "--apply").returncode
        (both.source / "file").write_text("content")
        both.alpha.wait("durable")
        assert not arrived(both, "file")
        done = both.beta.run("resume", "web")
        ended = "web: applying goes on; it was paused on beta since "
        assert (0, ended) == (done.returncode, done.stdout[: len(ended)])
        both.mirror()


def test_what_is_paused_without_end_is_not_waited_for() -> None:
    """`wait` ends by itself, without any `--timeout`, and says what leads out of it; with one it says what it waited for."""
    with pair() as both:
        both.begin()
        assert 0 == both.alpha.run("pause", "web", "--send").returncode
        (both.source / "file").write_text("waits")
        done = both.alpha.run("wait", "web")
        assert (Exit.REFUSED, True) == (done.returncode, "paused until it is resumed; hikae resume web" in done.stderr)
        done = both.alpha.run("wait", "web", "--timeout", "3")
        assert (Exit.TRY_AGAIN, True) == (done.returncode, "not within 3.0 s: sending to beta is paused" in done.stderr)
        assert 0 == both.alpha.run("resume", "web").returncode
        assert 0 == both.alpha.run("wait", "web", "--applied", "--timeout", "60").returncode


def test_what_the_standby_does_not_apply_is_not_waited_for() -> None:
    """`wait --applied` ends by itself while the standby is paused or its directory is gone, with what to do where; `--durable` is
    told all the same."""
    with pair() as both:
        both.begin()
        assert 0 == both.beta.run("pause", "web", "--apply").returncode
        (both.source / "file").write_text("stored")
        assert 0 == both.alpha.run("wait", "web", "--durable").returncode
        done = both.alpha.run("wait", "web", "--applied")
        assert (Exit.REFUSED, True) == (done.returncode, "on beta: hikae resume web" in done.stderr)
        away = both.target.rename(both.target.with_name("away"))
        assert 0 == both.beta.run("resume", "web").returncode
        both.beta.told("standby-gone")
        done = both.alpha.run("wait", "web", "--applied")
        assert (Exit.REFUSED, True) == (done.returncode, "beta is held: " in done.stderr)
        away.rename(both.target)
        both.beta.cleared("standby-gone")
        assert 0 == both.alpha.run("wait", "web", "--applied", "--timeout", "60").returncode


def test_a_wait_right_after_a_start_waits_for_it() -> None:
    """From the first moment that the agent answers, within its time."""
    with pair() as both:
        both.begin()
        both.alpha.kill(signal.SIGTERM)
        (both.source / "file").write_text("while it was away")
        both.alpha.start()
        eventually(lambda: both.alpha.run("wait", "web", "--applied", "--timeout", "60").returncode != Exit.UNREACHABLE)
        assert arrived(both, "file")


def tamper(standby: Path) -> dict[str, str]:
    """Do what must not be done to a standby; what `verify --deep` has to say of it, by path."""
    same = standby / "same-time"
    times = same.stat()
    same.write_text("CHANGED CONTENT")
    os.utime(same, ns=(times.st_atime_ns, times.st_mtime_ns))
    (standby / "extra").write_text("foreign")
    (standby / "removed").unlink()
    (standby / "sub" / "modes").chmod(0o600)
    return {"same-time": "content", "extra": "foreign", "removed": "missing", "sub/modes": "mode"}


def test_verify_finds_what_a_stranger_did() -> None:
    """Content changed behind an old time, an entry more, one less, another mode: all found, exit code 1, nothing changed."""
    with pair() as both:
        (both.source / "sub").mkdir()
        for name in ("same-time", "removed", "sub/modes", "untouched"):
            (both.source / name).write_text("content of file")
        both.begin()
        assert {"equal": True, "differences": []} == _verified(both, "--deep", Exit.DONE)
        wanted = tamper(both.target)
        found = _verified(both, "--deep", Exit.FAILED)["differences"]
        paths = {one["path"]: one["what"] for one in found}
        assert wanted.items() <= paths.items()
        assert {"", *wanted} >= paths.keys()
        shallow = {one["path"] for one in _verified(both, "", Exit.FAILED)["differences"]}
        assert {"extra", "removed", "sub/modes"} <= shallow
        assert not both.beta.look()["last_verify"]["equal"]
        assert "extra" in both.beta.run("verify", "web").stdout


def _verified(both: Pair, how: str, code: int) -> dict[str, list[dict[str, str]]]:
    import json

    done = both.beta.run("verify", "web", *([how] if how else []), "--json")
    assert code == done.returncode, done.stderr
    report = json.loads(done.stdout)
    return {"equal": report["equal"], "differences": report["differences"]}
