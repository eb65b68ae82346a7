"""Going back on real hosts: the README's blocks of that section, and a power failure in the middle of a rollback."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from hosts.blocks import Substitution
from hosts.host import Host, HostError

DATASET = "web"
#: What stands for an operator who answers, and for one who leaves a command in its terminal.
ANSWERS = (
    Substitution(
        "hikae rollback web --at before-release ",
        "hikae rollback web --at before-release --yes ",
        "nobody is there to answer its question",
    ),
    Substitution(
        "hikae mount web /mnt ",
        "{ setsid hikae mount web /mnt > /tmp/mount.log 2>&1 & }; "
        "for i in $(seq 100); do mountpoint -q /mnt && break; sleep 0.1; done; cat /tmp/mount.log ",
        "it stays in its terminal until umount",
    ),
)
_FOUND = re.compile(r"^ +(hikae restore .* --to )FILE( etc/app\.conf)$", re.MULTILINE)
_STATE = "var/lib/hikae"

Step = Callable[[str, tuple[Substitution, ...]], str]


class GoingBack:
    """What was spoiled on alpha is looked for, brought back beside, and rolled back in place. ``step`` types the README's
    blocks of a step and answers with what they said; ``tree`` is a host's tree as text; ``can_mount``: hosts have /dev/fuse."""

    def __init__(self, alpha: Host, beta: Host, step: Step, tree: Callable[[str], str], *, can_mount: bool) -> None:
        self._alpha = alpha
        self._beta = beta
        self._step = step
        self._tree = tree
        self._can_mount = can_mount

    def tell(self) -> None:
        """Keep a moment, spoil the tree, find what was, restore it, mount it, roll back, roll back through a power failure."""
        self._step("keep", ())
        self._good = self._tree("alpha")
        then = self._beta.type("date +%H:%M:%S; sleep 1\n", quiet=True).strip()
        self._spoil()
        self._found_is_restored(self._step("look", ()))
        self._step("restore", (Substitution("02:13", then, "a moment of this run"),))
        self._says_good("/tmp/before/etc/app.conf")
        self._mount()
        self._step("rollback", ANSWERS)
        self._is_as_it_was("after the rollback")
        self._power_failure()

    def _spoil(self) -> None:
        self._alpha.type(_SPOIL)
        if self._tree("alpha") == self._good:
            raise HostError("the tree was not spoiled, so nothing would be proved")

    def _found_is_restored(self, said: str) -> None:
        """The command that ``find`` prints for the oldest version is typed."""
        found = _FOUND.findall(said)
        if not found:
            raise HostError(f"hikae find printed no command for etc/app.conf:\n{said}")
        before, after = found[-1]
        self._beta.type(f"{before}/tmp/found.conf{after}\n")
        self._says_good("/tmp/found.conf")

    def _says_good(self, path: str) -> None:
        self._beta.type(f'test "$(cat {path})" = good\n')

    def _mount(self) -> None:
        if not self._can_mount:
            print("--- NOT TRIED: hikae mount, since this machine has no /dev/fuse to give to a host", flush=True)
            return
        self._step("mount", ANSWERS)
        self._says_good("/mnt/latest/etc/app.conf")
        self._beta.type("umount /mnt; rm -r /tmp/before /tmp/found.conf\n")

    def _power_failure(self) -> None:
        """The power of alpha fails as soon as the rollback has written down that it has begun."""
        self._spoil()
        print("--- power failure of alpha in the middle of a rollback", flush=True)
        self._alpha.type("setsid hikae rollback web --at before-release --yes > /tmp/rollback.log 2>&1 &\n")
        self._await_record()
        self._alpha.cut_power()
        self._alpha.boot()
        self._alpha.type(_UNTIL_ACTIVE)
        until = time.monotonic() + 60
        while self._tree("alpha") != self._good and time.monotonic() < until:
            self._alpha.type("sleep 0.5\n", quiet=True)
        self._is_as_it_was("after a rollback that a power failure cut off")
        self._alpha.type("hikae status web; hikae wait web --applied --timeout 60\n")

    def _await_record(self) -> None:
        until = time.monotonic() + 30
        while '"commit"' not in self._record():
            if time.monotonic() > until:
                raise HostError(f"no rollback came to its commit: {self._alpha.type('cat /tmp/rollback.log')}")
            time.sleep(0.002)

    def _record(self) -> str:
        """What alpha's disk says of a rollback under way; empty where there is none."""
        found = next((self._alpha.root / _STATE).rglob("rollback.json"), None)
        try:
            return found.read_text() if found is not None else ""
        except FileNotFoundError:
            return ""

    def _is_as_it_was(self, when: str) -> None:
        if self._tree("alpha") != self._good:
            raise HostError(f"alpha's tree is not what it was {when}")
        print(f"--- {when}: alpha's tree is what it was before it was spoiled", flush=True)


_SPOIL = """sleep 1; cd /srv/web; echo bad > etc/app.conf; rm -f old/1?
for i in $(seq 5 60); do echo spoiled > page-$i.html; done; cd
hikae wait web --applied --timeout 60
"""
_UNTIL_ACTIVE = (
    "for i in $(seq 60); do systemctl -q is-active hikae && break; sleep 1; done; systemctl is-active hikae\n"
)
