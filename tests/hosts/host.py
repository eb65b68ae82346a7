"""What is a host? A Debian 12 with a systemd of its own, on an ext4 filesystem of its own, in a network namespace of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from hosts.lan import Lan

# fanotify is refused by the default filter of a container; a server has no such filter.
_SYSTEM_CALLS = "fanotify_init fanotify_mark name_to_handle_at open_by_handle_at"
_TRACING = "/sys/kernel/tracing"
_DONE = "--- this block is done: "


class HostError(Exception):
    """A host did not do what it was asked; the text says what and shows its last words."""


class Host:
    """One server. Owned by the thread that made it; ``boot`` and ``cut_power`` may follow each other as often as one likes.
    ``own_disk``: what it calls the disk that it runs from, where it sees that disk and what the kernel traces of it."""

    def __init__(
        self, name: str, image: Path, lan: Lan, cache: Path, devices: tuple[str, ...] = (), own_disk: str = ""
    ) -> None:
        self.name = name
        self.image = image
        self.root = image.with_suffix("")
        self._lan = lan
        self._cache = cache
        self._devices = devices
        self._own_disk = own_disk
        self._container: subprocess.Popen[bytes] | None = None
        self._shell: subprocess.Popen[str] | None = None

    def boot(self) -> None:
        """Mounts the disk and starts its systemd; returns when it has started all that it starts."""
        self.root.mkdir(exist_ok=True)
        _run("mount", "-o", "loop", str(self.image), str(self.root))
        with open(self.image.with_suffix(".console"), "ab") as console:
            self._container = subprocess.Popen(self._nspawn(), stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        self._await_leader()
        self.type("systemctl is-system-running --wait || true\n", quiet=True)

    def cut_power(self) -> None:
        """Every process of the host is killed at once, as when its power fails (what the kernel holds in memory is not lost)."""
        self._end_shell()
        assert self._container is not None
        os.kill(self._leader(), signal.SIGKILL)
        self._container.wait()
        # What was cut off within a freeze would stand still on this machine, which goes on.
        subprocess.run(["fsfreeze", "--unfreeze", str(self.root)], capture_output=True, check=False)
        self._unmount()

    def shut_down(self) -> None:
        """An orderly end."""
        with suppress(HostError):
            self.type("systemctl poweroff --no-block\n", quiet=True)
        assert self._container is not None
        try:
            self._container.wait(120)
        except subprocess.TimeoutExpired:
            self._container.kill()
            self._container.wait()
        self._end_shell()
        self._unmount()

    def type(self, commands: str, *, quiet: bool = False) -> str:
        """Types the commands into a root shell that lasts from boot to end; their output. ``HostError`` where one fails."""
        shell = self._shell or self._open_shell()
        (self.root / "run-block.sh").write_text(commands)
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(f". /run-block.sh </dev/null\necho '{_DONE}'\n")
        shell.stdin.flush()
        said: list[str] = []
        for line in shell.stdout:
            if line.startswith(_DONE):
                return "".join(said)
            said.append(line)
            if not quiet:
                print(f"  {self.name}| {line}", end="", flush=True)
        self._end_shell()
        raise HostError(f"{self.name}: a command failed: {''.join(said[-20:])}\n{commands}")

    def _nspawn(self) -> list[str]:
        return [
            "systemd-nspawn",
            "--boot",
            f"--directory={self.root}",
            f"--machine={self.name}",
            f"--network-namespace-path={self._lan.namespace_of(self.name)}",
            "--register=no",
            "--keep-unit",
            "--console=pipe",
            f"--system-call-filter={_SYSTEM_CALLS}",
            f"--bind-ro={self._cache}:/srv/cache",
            *(f"--bind={device}" for device in self._devices),
            *self._seen_disk(),
        ]

    def _seen_disk(self) -> tuple[str, ...]:
        if not self._own_disk:
            return ()
        if not os.path.ismount(_TRACING):
            _run("mount", "-t", "tracefs", "tracefs", _TRACING)
        return (f"--bind={self.disk()}:{self._own_disk}", f"--bind={_TRACING}")

    def disk(self) -> str:
        """The loop device of this machine that it runs from, while its power is on."""
        return _run("findmnt", "-no", "SOURCE", str(self.root)).strip()

    def _await_leader(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(HostError, ProcessLookupError):
                # The container's first process is systemd only once it stands in its own root.
                if Path(f"/proc/{self._leader()}/comm").read_text().strip() == "systemd":
                    return
            time.sleep(0.1)
        raise HostError(f"{self.name} did not boot: see {self.image.with_suffix('.console')}")

    def _leader(self) -> int:
        assert self._container is not None
        children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children").read_text().split()
        if not children:
            raise HostError(f"{self.name} does not run")
        return int(children[0])

    def _open_shell(self) -> subprocess.Popen[str]:
        plain = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
        }
        self._shell = subprocess.Popen(
            [*self.way_in().split(), "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**plain, "container": "systemd-nspawn"},
        )
        assert self._shell.stdin is not None
        self._shell.stdin.write("set -e -o pipefail\ncd\n")
        return self._shell

    def _end_shell(self) -> None:
        if self._shell is not None:
            self._shell.kill()
            self._shell.wait()
            self._shell = None

    def _unmount(self) -> None:
        _run("umount", str(self.root))
        self._container = None

    def way_in(self) -> str:
        """The command that opens a root shell in the host."""
        return f"nsenter -t {self._leader()} -m -u -i -n -p -r -w /bin/bash"

    def is_up(self) -> bool:
        """Is its power on?"""
        return self._container is not None


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise HostError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
