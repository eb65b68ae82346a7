"""A virtual machine by software emulation that boots from a disk, and takes commands by its serial line.

    QEMU ── serial line ── ``boots.system``'s shell: ``HIKAE-BOOTED …``, then ``HIKAE-DONE code`` after each command
      └──── monitor ────── ``stop``, ``cont``, ``screendump``: also for hooks, by the script that ``monitor_script`` writes

All that came by the serial line is kept beside the disk."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from fakes.eventually import eventually

#: A boot takes one to three minutes by emulation on a quiet machine, and some times that beside others.
_BOOT_SECONDS, _COMMAND_SECONDS = 1500.0, 300.0
_BOOTED = re.compile(rb"HIKAE-BOOTED marker=(\S+) kilobytes=(\d+) kernel=(\S+)\r?\n")
_DONE = re.compile(rb"HIKAE-DONE (\d+)\r?\n")
_MONITOR = '''"""One command for QEMU's monitor: SOCKET COMMAND."""
import socket
import sys

with socket.socket(socket.AF_UNIX) as call:
    call.settimeout(60)
    call.connect(sys.argv[1])
    for words in (None, sys.argv[2]):
        if words is not None:
            call.sendall(words.encode() + b"\\n")
        said = b""
        while not said.endswith(b"(qemu) "):
            part = call.recv(4096)
            if not part:
                sys.exit("the monitor hung up")
            said += part
'''


def monitor_script(directory: Path) -> Path:
    """A program that gives QEMU's monitor a command: SOCKET COMMAND."""
    script = directory / "monitor.py"
    script.write_text(_MONITOR)
    return script


class Guest:
    """The machine whose disk is ``disk``, a device or an image; it has power from entering to leaving. ``directory``: where its
    sockets and its serial line are kept, by ``name``."""

    def __init__(self, disk: Path, directory: Path, name: str) -> None:
        self.monitor = directory / f"{name}.monitor"
        self.log = directory / f"{name}.serial"
        self.marker, self.kilobytes, self.seconds = "", 0, 0.0
        self._disk, self._script = disk, monitor_script(directory)
        #: Of its serial line so much was looked at.
        self._seen = 0

    def __enter__(self) -> Guest:
        began = time.monotonic()
        # A file takes all that it says, whoever reads: a full pipe would hold the machine.
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(self._words(), stdin=subprocess.PIPE, stdout=log)
        try:
            found = self._until(_BOOTED, _BOOT_SECONDS)
        except BaseException:
            self.cut_power()
            raise
        self.marker, self.kilobytes = found[1].decode(), int(found[2])
        self.seconds = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        self.cut_power()

    def cut_power(self) -> None:
        """It is gone at once, with what its kernel holds in memory."""
        self._process.kill()
        self._process.communicate()

    def power_off(self) -> None:
        """It comes to an orderly end."""
        self._say("systemctl poweroff")
        self._process.wait(_BOOT_SECONDS)

    def type(self, command: str) -> None:
        """One line to its shell, which must succeed."""
        self._say(command)
        code = int(self._until(_DONE, _COMMAND_SECONDS)[1])
        assert code == 0, f"{command}: {code}\n{self.tail()}"

    def ask_monitor(self, command: str) -> None:
        """A command for the machine itself, and not for what runs in it."""
        subprocess.run([sys.executable, str(self._script), str(self.monitor), command], check=True)

    def tail(self, lines: int = 40) -> str:
        """The end of what came by its serial line."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _words(self) -> list[str]:
        drive = f"file={self._disk},format=raw,if=virtio,cache=none"
        return [
            *("nice", "-n", "19", "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "max", "-m", "256"),
            *("-nodefaults", "-vga", "std", "-display", "none", "-no-reboot", "-drive", drive),
            *("-serial", "stdio", "-monitor", f"unix:{self.monitor},server=on,wait=off"),
        ]

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _until(self, wanted: re.Pattern[bytes], within: float) -> re.Match[bytes]:
        """What is found in what it says from here on; what stands before is passed over."""

        def look() -> re.Match[bytes] | None:
            # Whether it runs is asked before: what it said last stands in the file then.
            is_on = self._process.poll() is None
            found = wanted.search(self.log.read_bytes(), self._seen)
            assert found or is_on, f"the machine is off:\n{self.tail()}"
            return found

        found = eventually(look, within)
        self._seen = found.end()
        return found
