"""What do the hosts find where a real one asks the network? Filled once, and kept.

The cache stands in ``HIKAE_HOSTS_CACHE`` (default ``/var/cache/hikae-hosts``). ``system`` is a minimal Debian 12 with an
ssh server, as a provider delivers it, and ``disk`` the same on a filesystem; ``debs/`` is a package archive of what the README
installs; ``wheels/`` what its requirements name; ``hikae.git`` this repository as it is committed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

_SUITE = "bookworm"
_BASE = "systemd,systemd-sysv,dbus,iproute2,openssh-server,openssh-client,ca-certificates"
_DISK = "4G"
PROGRAMS = ("systemd-nspawn", "debootstrap", "mkfs.ext4", "nsenter", "ip", "git")


def cache_directory() -> Path:
    """Where the cache stands."""
    return Path(os.environ.get("HIKAE_HOSTS_CACHE", "/var/cache/hikae-hosts"))


class Cache:
    """The cache's parts; each is made when it is first needed and then kept, the repository is copied anew at each run."""

    def __init__(self, top: Path, packages: tuple[str, ...]) -> None:
        self.top = top
        self._packages = packages

    def fill(self, repository: Path) -> None:
        """Makes what is missing. Needs root, and the network the first time; ``CalledProcessError`` where a program fails."""
        self.fill_system()
        base = short_name(_BASE)
        make_once(self.top, f"debs-{short_name(' '.join(self._packages))}", self._make_debs)
        make_once(self.top, f"disk-{base}", self._make_disk)
        locks = (repository / "requirements" / "runtime.lock").read_bytes()
        make_once(self.top, f"wheels-{short_name(locks.decode())}", lambda into: self._make_wheels(into, repository))
        shutil.rmtree(self.top / "hikae.git", ignore_errors=True)
        _run("git", "clone", "--quiet", "--bare", str(repository), str(self.top / "hikae.git"))

    def fill_system(self) -> Path:
        """Makes the system alone, where it is missing: a directory."""
        self.top.mkdir(parents=True, exist_ok=True)
        make_once(self.top, f"system-{short_name(_BASE)}", self._make_system)
        return self.top / "system"

    def disk_for(self, image: Path) -> None:
        """A fresh disk: a copy of the base."""
        _run("cp", "--sparse=always", "--reflink=auto", str(self.top / "disk"), str(image))

    def _make_system(self, into: Path) -> None:
        _run("debootstrap", "--variant=minbase", f"--include={_BASE}", _SUITE, str(into))

    def _make_debs(self, into: Path) -> None:
        """An archive that apt can read: the packages and what they need beyond the base, with an index."""
        system = self.top / "system"
        _run("chroot", str(system), "apt-get", "-qq", "update")
        _run("chroot", str(system), "apt-get", "-qq", "install", "--download-only", "--yes", *self._packages)
        into.mkdir()
        for deb in sorted((system / "var/cache/apt/archives").glob("*.deb")):
            shutil.move(deb, into / deb.name)
        (into / "Packages").write_text("\n".join(_index_entry(deb) for deb in sorted(into.glob("*.deb"))))

    def _make_disk(self, into: Path) -> None:
        """A filesystem of the system, told to install from the cache; the system itself goes on knowing the mirror."""
        own = self.top / "system.own"
        shutil.rmtree(own, ignore_errors=True)
        _run("cp", "-a", "--reflink=auto", f"{self.top / 'system'}/.", str(own))
        (own / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/cache/debs ./\n")
        (own / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /srv/cache/wheels\n")
        for lists in (own / "var/lib/apt/lists").glob("*_*"):
            lists.unlink()
        _run("truncate", "--size", _DISK, str(into))
        _run("mkfs.ext4", "-q", "-d", str(own), str(into))
        shutil.rmtree(own)

    def _make_wheels(self, into: Path, repository: Path) -> None:
        lock = repository / "requirements" / "runtime.lock"
        target = ("--only-binary", ":all:", "--python-version", "3.11")
        _run(
            "python3",
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            *target,
            "--require-hashes",
            "-r",
            str(lock),
            "-d",
            str(into),
        )


def make_once(top: Path, name: str, make: Callable[[Path], None]) -> None:
    """The part ``name`` of a cache, made by ``make`` where it is not there; what stands before its hyphen is a link to it."""
    into, unfinished = top / name, top / f"{name}.unfinished"
    if not into.exists():
        print(f"filling the cache: {name}", flush=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.unlink(missing_ok=True)
        make(unfinished)
        unfinished.rename(into)
    link = top / name.partition("-")[0]
    if link != into:
        link.unlink(missing_ok=True)
        link.symlink_to(into.name)


def _index_entry(deb: Path) -> str:
    control = subprocess.run(["dpkg-deb", "--field", str(deb)], check=True, capture_output=True, text=True).stdout
    content = deb.read_bytes()
    return f"{control}Filename: ./{deb.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"


def short_name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
