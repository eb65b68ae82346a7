"""Debian's PostgreSQL on a directory, in a session of its own that can be killed as a whole."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.eventually import eventually

_FOUND = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
BIN = Path(_FOUND[-1]) if _FOUND else Path("/nonexistent")
_AS_USER = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
needs_postgres = pytest.mark.skipif(
    not _FOUND or os.geteuid() != 0 or shutil.which("setpriv") is None, reason="takes root and Debian's postgresql"
)


def _run(*words: str, given: str = "") -> str:
    done = subprocess.run([*_AS_USER, *words], input=given, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def _stands(session: int) -> bool:
    """Whether any process of it holds files still."""
    with suppress(ProcessLookupError):
        os.killpg(session, 0)
        return True
    return False


@dataclass
class PostgresServer:
    """``data``: its directory; ``sockets``: where it listens, and no other place."""

    data: Path
    sockets: Path
    process: subprocess.Popen[bytes] | None = None

    def init(self) -> None:
        """An empty cluster, with checksums."""
        self.data.mkdir(mode=0o700)
        shutil.chown(self.data, "postgres", "postgres")
        _run(str(BIN / "initdb"), "-k", "-A", "trust", "-D", str(self.data))

    def start(self) -> None:
        """It answers when this returns, whatever it had to recover before."""
        self.sockets.mkdir(exist_ok=True)
        shutil.chown(self.sockets, "postgres", "postgres")
        settings = (
            "-c",
            "listen_addresses=",
            "-c",
            f"unix_socket_directories={self.sockets}",
            "-c",
            "shared_buffers=16MB",
        )
        with (self.sockets.parent / f"{self.sockets.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_AS_USER, str(BIN / "postgres"), "-D", str(self.data), *settings],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        ready = [*_AS_USER, str(BIN / "pg_isready"), "-q", "-h", str(self.sockets)]
        eventually(lambda: subprocess.run(ready, check=False, cwd="/").returncode == 0, within=120)

    def kill(self) -> None:
        """All of its processes, as a power cut would end them."""
        if self.process is not None:
            session = self.process.pid
            os.killpg(session, signal.SIGKILL)
            self.process.wait()
            self.process = None
            eventually(lambda: not _stands(session), within=30)

    def sql(self, text: str) -> list[str]:
        """The rows of a statement, as text."""
        found = _run("psql", "-h", str(self.sockets), "-d", "postgres", "-X", "-A", "-t", "-q", given=text)
        return found.splitlines()

    def program(self, name: str, *words: str) -> list[str]:
        """The words of one of PostgreSQL's programs that asks this server."""
        return [*_AS_USER, str(BIN / name), "-h", str(self.sockets), *words]

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """pgbench runs beside a block."""
        words = self.program("pgbench", "-c", "2", "-T", "600", "-n", "postgres")
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/") as load:
            try:
                yield
            finally:
                load.kill()


@dataclass
class Clerk:
    """Writes 0, 1, 2 … into the table ``audit``, each once the one before was confirmed. ``confirmed``: so many were."""

    server: PostgresServer
    confirmed: int = 0

    def run(self) -> None:
        """Until the server is gone."""
        words = self.server.program("psql", "-d", "postgres", "-X", "-A", "-t", "-q")
        with subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            bufsize=1,
        ) as asks:
            assert asks.stdin is not None
            assert asks.stdout is not None
            while True:
                try:
                    asks.stdin.write(f"insert into audit values ({self.confirmed}) returning n;\n")
                    asks.stdin.flush()
                except BrokenPipeError:
                    break
                if asks.stdout.readline().strip() != str(self.confirmed):
                    break
                self.confirmed += 1
            asks.kill()
