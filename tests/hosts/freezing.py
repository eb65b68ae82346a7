"""A filesystem that stands still under the real unit: frozen and thawed by a guard that is a service of its own, whoever is
killed meanwhile."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hosts.host import Host, HostError

_TRIES = 6
#: What is done to alpha while its filesystem stands still, and what of the agent's is left alive to thaw it.
_KILLS = {
    "the agent": "systemctl kill -s KILL hikae",
    "the agent and its guard": "systemctl kill -s KILL 'hikae-guard-*' hikae",
    "the guard": "systemctl kill -s KILL 'hikae-guard-*'; kill -CONT $agent",
    "a stop of the unit": "systemctl stop hikae",
}


class SecondDisk:
    """A disk of its own for one host, as a loop device of this machine. Made at once; ``close`` gives it back."""

    def __init__(self, image: Path) -> None:
        subprocess.run(["truncate", "--size", "300M", str(image)], check=True)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        made = subprocess.run(["losetup", "--find", "--show", str(image)], check=True, capture_output=True, text=True)
        self.device = made.stdout.strip()
        if not os.path.exists(self.device):
            raise HostError(f"this machine made no node for {self.device}")

    def close(self) -> None:
        """The loop device goes."""
        subprocess.run(["losetup", "--detach", self.device], check=False)


class FrozenTree:
    """A dataset with ``quiesce = "freeze"`` on alpha's second disk; it goes again at the end."""

    def __init__(self, alpha: Host, beta: Host, disk: SecondDisk) -> None:
        self._alpha = alpha
        self._beta = beta
        self._disk = disk

    def tell(self) -> None:
        """Freeze once undisturbed, then once for each who is killed meanwhile."""
        print("--- a tree on a disk of its own is frozen for a generation", flush=True)
        self._alpha.type(
            f"mkdir -p /srv/db; mount {self._disk.device} /srv/db; rmdir /srv/db/lost+found; echo 0 > /srv/db/a\n"
        )
        for host in (self._beta, self._alpha):
            host.type(_CONFIGURE)
        self._alpha.type("hikae wait db --applied --timeout 60\n")
        self._beta.type(_TAKE)
        self._alpha.type("systemctl list-units --no-legend 'hikae-guard-*' | grep running\n")
        for who, kill in _KILLS.items():
            self._killed(who, kill)
        for host in (self._alpha, self._beta):
            host.type(_REMOVE)
        self._alpha.type("umount /srv/db\n")

    def _killed(self, who: str, kill: str) -> None:
        """Try until the freeze, which lasts for milliseconds, was met; each try with a new agent, which may freeze at once."""
        tries = []
        for _ in range(_TRIES):
            self._alpha.type(_CATCH.replace("KILL_IT", kill), quiet=True)
            took = self._beta.type("timeout 60 hikae generations take db 2>&1 || true\n", quiet=True)
            said = self._alpha.type("wait $catching; cat /tmp/caught\n", quiet=True)
            self._alpha.type(_GO_ON, quiet=True)
            if "thawed" in said:
                print(f"--- killed inside the freeze: {who}; {said.strip()}", flush=True)
                return
            tries.append(f"{took.strip()} | {said.strip()}")
        raise HostError(f"the freeze was not met in {_TRIES} tries ({who}):\n" + "\n".join(tries))


_CONFIGURE = """cp /etc/hikae/agent.toml /etc/hikae/agent.toml.before
cat >> /etc/hikae/agent.toml <<END

[[dataset]]
name = "db"
kind = "tree"
path = "/srv/db"
primary = "alpha"
standby = ["beta"]
quiesce = "freeze"
END
hikae reload
"""
_TAKE = """hikae generations take db
hikae generations show db latest | tee /tmp/shown; grep -q crash-consistent /tmp/shown
"""
_REMOVE = """mv /etc/hikae/agent.toml.before /etc/hikae/agent.toml
hikae reload
"""
# A unit whose process was just killed may still be called active, and then a start does nothing.
_GO_ON = """for i in $(seq 100); do
    systemctl start hikae; hikae wait db --applied --timeout 60 > /dev/null 2>&1 && break; sleep 0.3
done
hikae wait db --applied --timeout 60
"""
# The agent is stopped where it has frozen, so that nothing is left to chance: a writer must wait, and go on after the kill. The
# mark stands a little before the filesystem does: one that wrote meanwhile is followed by another.
_CATCH = """systemctl restart hikae; hikae wait db --applied --timeout 60
cat > /tmp/catch.sh <<'END'
agent=$(systemctl show -P MainPID hikae)
python3 - $agent <<'PYTHON' || { echo "not seen"; exit 0; }
import os, signal, sys, time
until = time.monotonic() + 20
open("/tmp/catching", "w").close()
while not os.path.exists("/run/hikae/frozen"):
    if time.monotonic() > until:
        sys.exit(1)
os.kill(int(sys.argv[1]), signal.SIGSTOP)
PYTHON
for i in $(seq 10); do
    echo written > /srv/db/written & writer=$!
    sleep 0.3
    if kill -0 $writer 2>/dev/null || ! [ -e /run/hikae/frozen ]; then break; fi
done
if ! kill -0 $writer 2>/dev/null || ! [ -e /run/hikae/frozen ]; then kill -CONT $agent; echo "it was over"; exit 0; fi
began=$(date +%s%N)
KILL_IT
wait $writer
echo "thawed, and a writer went on, $(( ($(date +%s%N) - began) / 1000000 )) ms after the kill"
for i in $(seq 50); do [ -e /run/hikae/frozen ] || exit 0; sleep 0.1; done
echo "the mark was left"; exit 1
END
echo $RANDOM > /srv/db/a; rm -f /tmp/catching
bash /tmp/catch.sh > /tmp/caught 2>&1 & catching=$!
until [ -e /tmp/catching ]; do sleep 0.05; done
"""
