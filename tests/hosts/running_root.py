"""A whole machine as a dataset: alpha's own disk, from which it runs, with its agent, that agent's state and its journal on it.

The disk is kept while it is written. alpha is lost with it, twice: first its disk is restored from beta, which stays a standby,
then beta is promoted, and its image is the disk of the next alpha. Each boots, and goes on as docs/bare-metal.md says."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hosts.host import Host, HostError

#: What alpha calls its disk, whichever loop device of this machine it is.
DISK = "/dev/disk-of-alpha"
_DATASET = "root"
_IMAGE, _RESTORED = "/srv/alpha.img", "/srv/restored.img"
_OWN_DISK = re.compile(r"state_dir \(/var/lib/hikae\) lies on it")
_IDLE = 20
#: States in which a mark is to be accepted first.
_SENDS_NOTHING = ("rewound", "fenced", "disconnected")
_RECORD = "--reason 'alpha is lost' --approved-by me --yes"


class RunningRoot:
    """``again``: makes alpha of another disk, once the first has lost its power."""

    def __init__(self, alpha: Host, beta: Host, again: Callable[[Path], Host]) -> None:
        self._alpha = alpha
        self._beta = beta
        self._again = again

    def tell(self) -> None:
        """Configure, keep, measure; then both ways back."""
        print("--- alpha's own disk becomes a dataset", flush=True)
        self._configure()
        began = time.monotonic()
        self._alpha.type(f"hikae wait {_DATASET} --applied --timeout 600\n")
        print(f"--- first copy of the disk that alpha runs from: {time.monotonic() - began:.0f} s", flush=True)
        self._idle()
        self._restored()
        self._promoted()
        for host in (self._alpha, self._beta):
            host.type(_REMOVE)

    def _restored(self) -> None:
        """Nobody was promoted: the state on the disk is older than what beta knows of it; alpha goes on once that is accepted."""
        last = self._written()
        self._lose_alpha()
        self._beta.type(f"hikae restore {_DATASET} --at \"$(date '+%F %T')\" --to {_RESTORED}\n")
        self._boot(self._copied(_RESTORED, "alpha-restored"), last)
        self._beta.type(f"rm {_RESTORED}\n")
        self._until(self._alpha, lambda one: one["state"] == "rewound", "rewound")
        self._alpha.type(f"hikae accept {_DATASET} --yes\n")
        self._accept_disk()
        self._follows()

    def _promoted(self) -> None:
        last = self._written()
        self._lose_alpha()
        self._beta.type(f"hikae promote {_DATASET} --force {_RECORD}\n")
        image = self._copied(_IMAGE, "alpha-promoted")
        self._checked(image)
        self._boot(image, last)
        self._goes_on()

    def _lose_alpha(self) -> None:
        print("--- alpha has lost its power, and its disk", flush=True)
        self._alpha.cut_power()

    def _configure(self) -> None:
        for host in (self._beta, self._alpha):
            host.type(_CONFIGURE)
        said = self._alpha.type("hikae config check 2>&1\n")
        if not _OWN_DISK.search(said):
            raise HostError(f"config check is to say that the state lies on the disk that is replicated: {said}")

    def _idle(self) -> None:
        """What the agent's own writes cost, as nobody else writes: each commit changes the disk that is replicated."""
        before, sectors = self._commit(), self._sectors()
        self._alpha.type(f"sleep {_IDLE}\n", quiet=True)
        commits, written = self._commit() - before, (self._sectors() - sectors) * 512
        print(
            f"--- in {_IDLE} s in which nobody else wrote: {commits} commits, {written / 1e6:.1f} MB written by alpha",
            flush=True,
        )
        if commits > _IDLE:
            raise HostError("the agent's own writes make it commit ever faster")

    def _written(self) -> int:
        """The last number that was certainly kept; the writer goes on."""
        self._alpha.type(_WRITE)
        self._beta.type(f"hikae generations take {_DATASET}\nhikae generations show {_DATASET} latest\n")
        last = int(self._alpha.type(f"cat /srv/number; hikae wait {_DATASET} --applied --timeout 120 > /dev/null\n"))
        shown = self._beta.type(f"hikae generations show {_DATASET} latest --json\n", quiet=True)
        if json.loads(shown)["consistency"] != "crash-consistent":
            raise HostError(f"the disk did not stand still for the generation: {shown}")
        self._alpha.type("hikae status\n")
        return last

    def _copied(self, path: str, name: str) -> Path:
        """A disk of alpha that lies on beta, which keeps its own."""
        image = self._beta.image.with_name(f"{name}.img")
        subprocess.run(("cp", "--sparse=always", str(self._beta.root / path.lstrip("/")), str(image)), check=True)
        return image

    def _checked(self, image: Path) -> None:
        """A mount plays the journal and lets go of what was open; then the filesystem's own check finds nothing."""
        at = image.with_suffix(".at")
        at.mkdir()
        subprocess.run(("mount", "-o", "loop", str(image), str(at)), check=True)
        subprocess.run(("umount", str(at)), check=True)
        done = subprocess.run(("e2fsck", "-f", "-n", str(image)), capture_output=True, text=True, check=False)
        print(f"--- e2fsck of the promoted disk: {done.stdout.splitlines()[-1]}", flush=True)
        if done.returncode:
            raise HostError(f"the promoted disk is not clean: {done.stdout}{done.stderr}")

    def _boot(self, image: Path, last: int) -> None:
        """The next alpha has what was kept, also in its journal."""
        self._alpha = self._again(image)
        self._alpha.boot()
        found = int(self._alpha.type("cat /srv/number\n"))
        print(f"--- alpha boots from {image.name}: {found} was written last, {last} was certainly kept", flush=True)
        if found < last:
            raise HostError(f"{last} was kept, and {found} came back")
        words = f"journalctl --no-pager --quiet --directory /var/log/journal --grep '^number {last - 1}$'"
        self._alpha.type(f"{words} | grep .\n")

    def _goes_on(self) -> None:
        """alpha knows that beta was promoted, and is never made its standby from
        the disk that it runs from; it goes on as the primary, and beta comes back to it."""
        self._until(self._alpha, _is_fenced, "fenced")
        ways_out = [one["remedy"] for one in self._look(self._alpha)["problems"] if one["code"] == "fenced"]
        if not any("the disk that it runs from" in one for one in ways_out):
            raise HostError(f"alpha is told of a way out that is refused: {ways_out}")
        said = self._alpha.type(f"hikae rejoin {_DATASET} {_RECORD} 2>&1 || true\n")
        if "this agent's own state" not in said:
            raise HostError(f"a rejoin would write over the disk that alpha runs from: {said}")
        self._alpha.type(f"hikae serve {_DATASET} --alone --force {_RECORD}\n")
        self._accept_disk()
        self._until(self._beta, _is_fenced, "fenced")
        self._beta.type(f"hikae rejoin {_DATASET} {_RECORD}\n")
        self._follows()

    def _accept_disk(self) -> None:
        """It is another one than before, which is asked for by itself."""
        self._until(self._alpha, lambda one: one["hold"] is not None and one["state"] not in _SENDS_NOTHING, "held")
        self._alpha.type(f"hikae accept {_DATASET} --yes\n")

    def _follows(self) -> None:
        self._alpha.type(f"hikae wait {_DATASET} --applied --timeout 300\n")
        self._beta.type(f"hikae verify {_DATASET}\n")

    def _until(self, host: Host, so: Callable[[Any], bool], what: str) -> None:
        until = time.monotonic() + 120
        while not so(found := self._look(host)):
            if time.monotonic() > until:
                raise HostError(f"{host.name} is to be {what}, and is {found['state']}")
            host.type("sleep 1\n", quiet=True)
        host.type("hikae status\n")

    def _commit(self) -> int:
        return int(self._look(self._alpha)["commit"]["seq"])

    def _sectors(self) -> int:
        """Written to alpha's disk since it was attached."""
        name = Path(self._alpha.disk()).name
        return int(Path(f"/sys/block/{name}/stat").read_text().split()[6])

    def _look(self, host: Host) -> Any:  # Any: JSON is a foreign edge
        said = host.type(
            "for i in $(seq 60); do if hikae status --json 2>/dev/null; then break; fi; sleep 1; done\n", quiet=True
        )
        return next(one for one in json.loads(said)["datasets"] if one["name"] == _DATASET)


def _is_fenced(found: Any) -> bool:
    return bool(found["state"] == "fenced")


_CONFIGURE = f"""cp /etc/hikae/agent.toml /etc/hikae/agent.toml.before
cat >> /etc/hikae/agent.toml <<END

[[dataset]]
name = "{_DATASET}"
kind = "device"
path = {{ alpha = "{DISK}", beta = "{_IMAGE}" }}
primary = "alpha"
standby = ["beta"]
quiesce = "freeze"
[dataset.device]
rpo = "2s"
[dataset.hooks]
start = "none"
stop = "none"
END
mkdir -p /var/log/journal; systemctl restart systemd-journald
hikae reload
"""
_WRITE = """setsid bash -c 'for ((i = 1;; i++)); do
    echo $i > /srv/number; logger "number $i"; cp /usr/bin/bash /srv/copy-$((i % 7)); sync; sleep 0.3
done' > /dev/null 2>&1 &
sleep 5; cat /srv/number
"""
_REMOVE = f"""mv /etc/hikae/agent.toml.before /etc/hikae/agent.toml
hikae reload; rm -f {_IMAGE}; rm -rf {_IMAGE}.hikae
"""
