"""``make hosts``: from two bare Debian 12 hosts to a verified standby by the README's own blocks, then a power failure of each,
an upgrade, a host whose own disk is lost and brought back, and the removal, unattended. ``make hosts KEEP=1`` leaves the hosts
up after the proof and prints how to enter them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hosts.blocks import Block, Substitution, blocks_of, with_substitutions
from hosts.cache import PROGRAMS, Cache, cache_directory
from hosts.failover import FailingOver
from hosts.freezing import FrozenTree, SecondDisk
from hosts.history import ANSWERS, GoingBack
from hosts.host import Host, HostError
from hosts.lan import Lan
from hosts.running_root import DISK, RunningRoot

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("alpha", "beta", "laptop")
FIRST_STEPS = ("install", "certificates", "configure", "start", "prove")
STEPS = (
    *FIRST_STEPS,
    "upgrade",
    "remove",
    "keep",
    "look",
    "restore",
    "mount",
    "rollback",
    "promote",
    "rejoin",
    "switchover",
)
PACKAGES = ("git", "python3-venv", "fuse3")
SUBSTITUTIONS = (
    Substitution(
        "https://git.example/hikae.git",
        "/srv/cache/hikae.git",
        "the clone's address is a bare repository of this checkout",
    ),
    Substitution(
        "the Debian mirror", "/srv/cache/debs", "a local archive of the same packages, set in the hosts' sources.list"
    ),
    Substitution(
        "the Python package index",
        "/srv/cache/wheels",
        "a local wheelhouse of what the lock file names, set in the hosts' pip.conf",
    ),
)
EXIT_SKIPPED = 77
FUSE = "/dev/fuse"
_DEBIAN = "systemd-container debootstrap e2fsprogs util-linux iproute2 git"
_CONTENT = r"""cd /srv/web
find . -path ./.hikae -prune -o -printf '%P %y %m %U:%G %s %T@ %l\n' | sort
find . -path ./.hikae -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
"""


def main() -> int:
    """The exit code: 0 where every step held, 1 where one did not, 77 where this machine cannot run hosts."""
    if reason := _what_is_missing():
        print(f"SKIPPED, nothing was tried: {reason}")
        return EXIT_SKIPPED
    for one in (*SUBSTITUTIONS, *ANSWERS):
        print(f"substituted: {one.written} -> {one.instead} ({one.why})")
    print(
        "the hosts know each other's names by /etc/hosts, and the laptop's ssh key, as DNS and an administrator would have it"
    )
    began = time.monotonic()
    cache = Cache(cache_directory(), PACKAGES)
    try:
        cache.fill(REPOSITORY)
    except subprocess.CalledProcessError as error:
        print(f"SKIPPED, nothing was tried: the cache cannot be filled ({error}); is the package mirror reachable?")
        return EXIT_SKIPPED
    print(f"cache ready after {_minutes(began)}")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="hikae-hosts-", dir=os.environ.get("HIKAE_HOSTS_DIR")) as work,
            Lan(NAMES) as lan,
        ):
            Story(Path(work), lan, cache).tell()
    except HostError as error:
        print(f"FAILED after {_minutes(began)}: {error}")
        return 1
    print(f"all of it held: {_minutes(began)}")
    return 0


def _what_is_missing() -> str:
    if os.geteuid() != 0:
        return "hosts need root"
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"these programs are missing: {' '.join(missing)} (Debian: {_DEBIAN})"
    return ""


def _minutes(since: float) -> str:
    return f"{(time.monotonic() - since) / 60:.1f} minutes"


class Story:
    """The hosts and what is done with them, in order. Every step raises ``HostError`` where it does not hold."""

    def __init__(self, work: Path, lan: Lan, cache: Cache) -> None:
        self._work = work
        self._lan = lan
        self._cache = cache
        self._hosts: dict[str, Host] = {}
        self._second_disk = SecondDisk(work / "second.img")
        self._blocks = blocks_of((REPOSITORY / "README.md").read_text())

    def tell(self) -> None:
        """From bare disks to the removal; what still runs at the end is ended."""
        try:
            self._prepare()
            for step in FIRST_STEPS:
                self._step(step)
            self._same("after the first sync")
            if os.environ.get("KEEP"):
                self._wait_for_the_operator()
            self._history()
            self._power_failure_of("beta")
            self._power_failure_of("alpha")
            self._stuck("beta")
            self._upgrade()
            self._whole_machine()
            self._removal()
        finally:
            for host in self._hosts.values():
                if host.is_up():
                    host.cut_power()
            self._second_disk.close()

    def _prepare(self) -> None:
        for name in NAMES:
            image = self._work / f"{name}.img"
            self._cache.disk_for(image)
            self._hosts[name] = self._host(name, image)
            self._hosts[name].boot()
            self._hosts[name].type(self._names() + f"hostname {name}; echo {name} > /etc/hostname\n", quiet=True)
        self._let_the_laptop_in()
        self._hosts["alpha"].type(_A_TREE, quiet=True)

    def _host(self, name: str, image: Path) -> Host:
        """A host of that name on a disk; only alpha, whose disk is a dataset for a while, sees its own."""
        own_disk = DISK if name == "alpha" else ""
        return Host(name, image, self._lan, self._cache.top, self._devices(name), own_disk)

    def _names(self) -> str:
        lines = "\n".join(f"{address} {name}.example {name}" for name, address in self._lan.addresses.items())
        return f"cat >> /etc/hosts <<'EOF'\n{lines}\nEOF\n"

    def _let_the_laptop_in(self) -> None:
        key = self._hosts["laptop"].type(
            "ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 && cat ~/.ssh/id_ed25519.pub\n", quiet=True
        )
        self._hosts["laptop"].type("echo 'StrictHostKeyChecking accept-new' >> /etc/ssh/ssh_config\n", quiet=True)
        for name in ("alpha", "beta"):
            self._hosts[name].type(f"mkdir -p ~/.ssh && echo '{key.strip()}' > ~/.ssh/authorized_keys\n", quiet=True)

    def _devices(self, name: str) -> tuple[str, ...]:
        """What of this machine a host is given: fuse to beta, which mounts, a second disk to alpha, which freezes it."""
        if name == "alpha":
            return (self._second_disk.device,)
        return (FUSE,) if name == "beta" and os.path.exists(FUSE) else ()

    def _history(self) -> None:
        alpha, beta = self._hosts["alpha"], self._hosts["beta"]
        GoingBack(alpha, beta, self._step, self._below_the_root, can_mount=os.path.exists(FUSE)).tell()
        self._same("after the rollbacks")
        FailingOver(alpha, beta, self._step, self._same).tell()
        FrozenTree(alpha, beta, self._second_disk).tell()

    def _whole_machine(self) -> None:
        RunningRoot(self._hosts["alpha"], self._hosts["beta"], self._alpha_again).tell()
        self._prove_again("after alpha came back on another disk")

    def _alpha_again(self, image: Path) -> Host:
        self._hosts["alpha"] = self._host("alpha", image)
        return self._hosts["alpha"]

    def _step(self, step: str, more: tuple[Substitution, ...] = ()) -> str:
        """Types the README's blocks of that step, of which there must be one; what they said."""
        mine = [block for block in self._blocks if block.step == step]
        if not mine:
            raise HostError(f"README.md has no block of the step {step!r}")
        return "".join(self._type(block, more) for block in mine)

    def _type(self, block: Block, more: tuple[Substitution, ...]) -> str:
        said = []
        for name in block.hosts:
            began = time.monotonic()
            print(f"--- README.md:{block.line} ({block.step}) on {name}", flush=True)
            said.append(self._hosts[name].type(with_substitutions(block.text, (*SUBSTITUTIONS, *more))))
            print(f"--- {time.monotonic() - began:.0f} s", flush=True)
        return "".join(said)

    def _wait_for_the_operator(self) -> None:
        for host in self._hosts.values():
            print(f"to go in:  {host.way_in()}    # {host.name}")
        input("The hosts are up. Enter goes on.")

    def _power_failure_of(self, name: str) -> None:
        print(f"--- power failure of {name}; alpha's tree changes", flush=True)
        self._hosts[name].cut_power()
        if name != "alpha":
            self._hosts["alpha"].type(
                f"echo 'while {name} was away' > /srv/web/while-{name}-was-away && rm /srv/web/old/1\n"
            )
        self._hosts[name].boot()
        if name == "alpha":
            self._hosts["alpha"].type("echo back > /srv/web/alpha-is-back; rm /srv/web/old/2\n")
        self._prove_again(f"after the power failure of {name}")

    def _stuck(self, name: str) -> None:
        print(f"--- the agent of {name} is stopped (SIGSTOP), and nobody lets it go on", flush=True)
        self._hosts[name].type(_STARTED_ANEW)
        self._prove_again("after the watchdog started it anew")

    def _prove_again(self, when: str) -> None:
        """The agents were started by systemd alone, so the socket may take a moment; then the README's own proof."""
        for name in ("alpha", "beta"):
            self._hosts[name].type(
                "for i in $(seq 60); do systemctl -q is-active hikae && break; sleep 1; done; systemctl is-active hikae\n"
            )
        self._step("prove")
        self._same(when)

    def _upgrade(self) -> None:
        before = self._revision()
        changed = self._work / "changed"
        _git("clone", "--quiet", str(self._cache.top / "hikae.git"), str(changed))
        (changed / "agent" / "RELEASE").write_text("the next release\n")
        _git("-C", str(changed), "add", "agent/RELEASE")
        _git(
            "-C",
            str(changed),
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example",
            "commit",
            "--quiet",
            "-m",
            "The next release",
        )
        _git("-C", str(changed), "push", "--quiet")
        self._step("upgrade")
        if self._revision() == before:
            raise HostError("the upgrade brought no new release")
        self._hosts["alpha"].type("echo new > /srv/web/after-the-upgrade\n")
        self._prove_again("after the upgrade")

    def _revision(self) -> str:
        return self._hosts["alpha"].type("git -C /opt/hikae rev-parse HEAD\n", quiet=True)

    def _removal(self) -> None:
        kept = self._below_the_root("beta")
        self._step("remove")
        for name in ("alpha", "beta"):
            self._hosts[name].type(_NOTHING_IS_LEFT)
        if self._below_the_root("beta") != kept:
            raise HostError("the removal changed the standby's tree")

    def _below_the_root(self, name: str) -> str:
        """A host's tree but for the root itself, whose time moves when ``.hikae`` is removed from it."""
        return self._hosts[name].type(_CONTENT.replace("find . ", "find . -mindepth 1 "), quiet=True)

    def _same(self, when: str) -> None:
        """Both trees, compared by nothing of ours: names, kinds, modes, owners, sizes, times, and the SHA-256 of every file."""
        alpha, beta = (self._hosts[name].type(_CONTENT, quiet=True) for name in ("alpha", "beta"))
        if alpha != beta:
            raise HostError(f"the trees differ {when}:\n{_difference(alpha, beta)}")
        print(
            f"--- {when}: {len(alpha.splitlines())} lines of find and sha256sum are the same on both hosts", flush=True
        )


_A_TREE = """mkdir -p /srv/web/old /srv/web/etc && cd /srv/web; echo good > etc/app.conf
for i in $(seq 300); do echo "page $i" > page-$i.html; done
for i in $(seq 50); do echo $i > old/$i; done
head -c 20000000 /dev/urandom > upload.bin
ln page-1.html index.html; ln -s page-2.html latest; chown 33:33 page-3.html; chmod 4750 page-4.html
"""
#: The watchdog's minute, and what systemd waits for an end that cannot come.
_STARTED_ANEW = """agent=$(systemctl show -P MainPID hikae); before=$(systemctl show -P NRestarts hikae); began=$(date +%s)
kill -STOP $agent
for i in $(seq 150); do
  if [ "$(systemctl show -P NRestarts hikae)" -gt "$before" ] && systemctl -q is-active hikae; then break; fi
  sleep 1
done
systemctl is-active hikae && [ "$(systemctl show -P MainPID hikae)" != "$agent" ]
echo "started anew after $(( $(date +%s) - began )) s"; hikae status
"""
_NOTHING_IS_LEFT = """! pgrep -f /usr/bin/hikae
for left in /opt/hikae /etc/hikae /var/lib/hikae /run/hikae /usr/bin/hikae \\
    /etc/systemd/system/hikae.service /etc/systemd/system/hikae-web.service \\
    /etc/sysusers.d/hikae.conf /etc/tmpfiles.d/hikae.conf /usr/share/man/man1/hikae*; do
  if [ -e $left ]; then echo "left behind: $left"; false; fi
done
if getent passwd hikae; then false; fi
"""


def _difference(alpha: str, beta: str) -> str:
    ours, theirs = set(alpha.splitlines()), set(beta.splitlines())
    lines = [f"alpha only: {line}" for line in sorted(ours - theirs)] + [
        f"beta only: {line}" for line in sorted(theirs - ours)
    ]
    return "\n".join(lines[:40])


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
