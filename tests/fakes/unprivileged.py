"""Running our programs as a user who has no privileges, wherever the interpreter and the checkout lie.

Both may lie below a directory that nobody else may enter, so they are shown to the user in a mount namespace of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from fakes.agents import REPOSITORY

UID = 65534
_SHOW = 'mount --bind "$1" "$2" && mount --bind "$3" "$4" && cd "$5" && shift 5 && exec "$@"'
_DROP = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")


class Nobody:
    """``program``: the words that start hikae as that user, in whose directory ``base`` all of it lies; ``temporary``: its
    TMPDIR. Tests that do not run as root are run by such a user already."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._drops = os.geteuid() == 0
        self._code, self._python, self._packages = base / "code", base / "python", base / "packages"
        self.temporary = base / "tmp"
        for path in (self._code, self._python, self._packages, self.temporary):
            path.mkdir()
        shutil.copytree(REPOSITORY / "agent", self._code / "agent", ignore=shutil.ignore_patterns("__pycache__"))
        self.program = self.words(self._interpreter(), "-m", "agent.cli.main")
        base.chmod(0o755)
        self.owns(self.temporary)

    def words(self, *words: str) -> tuple[str, ...]:
        """The words that run a program as that user."""
        places = {"PYTHONPATH": f"{self._code}:{self._packages}", "LD_LIBRARY_PATH": str(self._python / "lib")}
        settings = [f"{name}={value}" for name, value in {**places, "TMPDIR": str(self.temporary)}.items()]
        if not self._drops:
            return ("env", f"PYTHONPATH={self._code}", settings[-1], *words)
        shown = (
            sys.base_prefix,
            str(self._python),
            sysconfig.get_path("purelib"),
            str(self._packages),
            str(self._base),
        )
        return ("unshare", "--mount", "sh", "-c", _SHOW, "show", *shown, *_DROP, "env", *settings, *words)

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program as that user, to its end."""
        return subprocess.run(
            self.words(*words), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False
        )

    def hikae(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run hikae as that user, to its end."""
        return self.run(self._interpreter(), "-m", "agent.cli.main", *arguments, timeout=timeout)

    def does(self, script: str) -> None:
        """A shell script, by that user; it must succeed."""
        done = self.run("sh", "-ec", script)
        assert 0 == done.returncode, done.stderr

    def owns(self, *paths: Path) -> None:
        """Give paths and all below them to that user."""
        for path in paths if self._drops else ():
            for top, _, files in os.walk(path):
                for name in (top, *(os.path.join(top, file) for file in files)):
                    os.lchown(name, UID, UID)
            if not path.is_dir():
                os.lchown(path, UID, UID)

    def why_not(self) -> str:
        """Why that user cannot run our programs here; "" when it can."""
        done = self.run(self._interpreter(), "-c", "import agent.cli.main, os; assert os.geteuid()")
        return "" if done.returncode == 0 else f"no unprivileged user can run the interpreter here: {done.stderr}"

    def _interpreter(self) -> str:
        if not self._drops:
            return sys.executable
        return str(self._python / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
