"""Programs that copy and end: rsync over an ssh server of our own, restic, borg."""

from __future__ import annotations

import itertools
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.crew import Failed, finish, running, until
from bench.machine import program
from bench.workloads import size_below
from fakes.agents import free_port

_TOTAL = re.compile(r"^Total bytes (?:sent|received): ([\d,]+)", re.MULTILINE)
_FILES = re.compile(r"^Number of regular files transferred: ([\d,]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Copied:
    """``wire``: bytes that rsync says it sent and received; ``files``: how many it transferred."""

    seconds: float
    wire: int
    files: int


@contextmanager
def sshd(base: Path) -> Iterator[str]:
    """An ssh server on loopback with keys of its own; yields the ssh command that reaches it. Raises ``Unmeasurable``."""
    server, client, keygen = program("sshd"), program("ssh"), program("ssh-keygen")
    base.mkdir()
    for name in ("host", "user"):
        finish((keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(base / name)))
    shutil.copyfile(base / "user.pub", base / "authorized")
    port = free_port()
    config = base / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {base}/host\nAuthorizedKeysFile {base}/authorized\n"
        f"StrictModes no\nUsePAM no\nPidFile {base}/sshd.pid\nPermitRootLogin yes\n"
    )
    with suppress(PermissionError):
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd as root will not start without
    options = f"-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile={base}/known -o LogLevel=ERROR"
    words = f"{client} -F none -p {port} -i {base}/user {options}"
    with running((server, "-D", "-e", "-f", str(config)), base / "sshd.log"):
        until(lambda: _answers(words), "sshd on loopback lets nobody in (the user needs a login shell)", within=30)
        yield words


def rsync(ssh: str, source: Path, target: Path, *options: str) -> Copied:
    """`rsync -a` of what is in ``source`` to ``target`` over ssh. Raises ``Unmeasurable``, ``Failed``."""
    words = (program("rsync"), "-a", "--stats", *options, "-e", ssh, f"{source}/", f"127.0.0.1:{target}/")
    begun = time.monotonic()
    said = finish(words)
    seconds = time.monotonic() - begun
    files = _FILES.search(said)
    totals = _TOTAL.findall(said)
    if files is None or len(totals) != 2:
        raise Failed("rsync --stats says nothing that can be understood")
    return Copied(seconds, sum(_number(one) for one in totals), _number(files[1]))


def restic(base: Path, source: Path) -> float:
    """Seconds of `restic backup` into a fresh repository (making it is not counted). Raises ``Unmeasurable``, ``Failed``."""
    words = (program("restic"), "--quiet", "--repo", str(base / "restic"))
    settings = {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(base / "restic-cache")}
    try:
        finish((*words, "init"), settings)
        return _timed((*words, "backup", str(source)), settings)
    finally:
        for name in ("restic", "restic-cache"):
            shutil.rmtree(base / name, ignore_errors=True)


def borg(base: Path, source: Path) -> float:
    """Seconds of `borg create` into a fresh encrypted repository (making it is not counted). Raises as :func:`restic`."""
    words, repository = program("borg"), str(base / "borg")
    settings = {"BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": str(base / "borg-base")}
    try:
        finish((words, "init", "--encryption", "repokey-blake2", repository), settings)
        return _timed((words, "create", f"{repository}::first", str(source)), settings)
    finally:
        for name in ("borg", "borg-base"):
            shutil.rmtree(base / name, ignore_errors=True)


@contextmanager
def restic_kept(base: Path, source: Path) -> Iterator[Callable[[Path], float]]:
    """A repository with a backup of ``source``; yields how long `restic restore` of it into a directory takes. Raises as
    :func:`restic`."""
    words = (program("restic"), "--quiet", "--repo", str(base / "restic-kept"))
    settings = {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(base / "restic-kept-cache")}
    try:
        finish((*words, "init"), settings)
        finish((*words, "backup", str(source)), settings)
        yield lambda to: _timed((*words, "restore", "latest", "--target", str(to)), settings)
    finally:
        for name in ("restic-kept", "restic-kept-cache"):
            shutil.rmtree(base / name, ignore_errors=True)


@contextmanager
def restic_days(base: Path, source: Path) -> Iterator[Callable[[], float]]:
    """A repository; yields what backs ``source`` up into it once more, and says how many bytes it takes. Raises as
    :func:`restic`."""
    repository = base / "restic-days"
    words = (program("restic"), "--quiet", "--repo", str(repository))
    settings = {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(base / "restic-days-cache")}

    def keep() -> float:
        finish((*words, "backup", str(source)), settings)
        return float(size_below(repository))

    try:
        finish((*words, "init"), settings)
        yield keep
    finally:
        for name in ("restic-days", "restic-days-cache"):
            shutil.rmtree(base / name, ignore_errors=True)


@contextmanager
def borg_days(base: Path, source: Path) -> Iterator[Callable[[], float]]:
    """As :func:`restic_days`, of an encrypted repository of borg."""
    words, repository = program("borg"), base / "borg-days"
    settings = {"BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": str(base / "borg-days-base")}
    days = itertools.count(1)

    def keep() -> float:
        finish((words, "create", f"{repository}::day{next(days)}", str(source)), settings)
        return float(size_below(repository))

    try:
        finish((words, "init", "--encryption", "repokey-blake2", str(repository)), settings)
        yield keep
    finally:
        for name in ("borg-days", "borg-days-base"):
            shutil.rmtree(base / name, ignore_errors=True)


@contextmanager
def borg_kept(base: Path, source: Path) -> Iterator[Callable[[Path], float]]:
    """As :func:`restic_kept`: `borg extract` of an encrypted repository, which goes into the directory that it runs in."""
    words, repository = program("borg"), str(base / "borg-kept")
    settings = {"BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": str(base / "borg-kept-base")}

    def extract(to: Path) -> float:
        to.mkdir()
        shell = ("sh", "-c", 'cd "$1" && exec "$2" extract "$3::first"', "sh", str(to), words, repository)
        return _timed(shell, settings)

    try:
        finish((words, "init", "--encryption", "repokey-blake2", repository), settings)
        finish((words, "create", f"{repository}::first", str(source)), settings)
        yield extract
    finally:
        for name in ("borg-kept", "borg-kept-base"):
            shutil.rmtree(base / name, ignore_errors=True)


def _timed(words: tuple[str, ...], settings: dict[str, str]) -> float:
    begun = time.monotonic()
    finish(words, settings)
    return time.monotonic() - begun


def _answers(ssh: str) -> bool:
    try:
        finish((*ssh.split(), "127.0.0.1", "true"))
    except Failed:
        return False
    return True


def _number(text: str) -> int:
    return int(text.replace(",", ""))
