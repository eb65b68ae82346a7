"""Programs that keep a copy up to date: lsyncd over ssh, syncthing twice. Only on loopback, and configured by files."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.crew import finish, running, until
from bench.machine import program
from fakes.agents import free_port

#: Upgrades are another matter; nothing may leave this machine.
_SYNCTHING_SETTINGS = {"STNOUPGRADE": "1", "STNODEFAULTFOLDER": "1"}
_PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A directory that is written to, and where its files arrive."""

    source: Path
    target: Path


@contextmanager
def lsyncd(base: Path, ssh: str, delay: int | None) -> Iterator[Mirrored]:
    """lsyncd with rsync over ssh, once its first copy is made; ``delay`` None: its own default.

    Raises ``Unmeasurable``, ``Failed``."""
    words = program("lsyncd")
    made = _mirrored(base)
    waits = "" if delay is None else f"delay = {delay}, "
    config = base / "lsyncd.conf.lua"
    config.write_text(
        "settings { nodaemon = true }\n"
        f'sync {{ default.rsync, source = "{made.source}", target = "127.0.0.1:{made.target}", {waits}'
        f'rsync = {{ archive = true, rsh = "{ssh}" }} }}\n'
    )
    with running((words, "-nodaemon", str(config)), base / "lsyncd.log"):
        until((made.target / _PROBE).exists, "lsyncd's first copy")
        yield made


@contextmanager
def syncthing(base: Path) -> Iterator[Mirrored]:
    """Two of them on loopback that know each other's address, once the first file is over. Raises as :func:`lsyncd`."""
    words = program("syncthing")
    made = _mirrored(base)
    homes, ports = (base / "home-a", base / "home-b"), (free_port(), free_port())
    names = [_identity(words, home) for home in homes]
    for number, home in enumerate(homes):
        other = 1 - number
        folder = (made.source, made.target)[number]
        (home / "config.xml").write_text(_syncthing_config(names, number, ports[number], ports[other], folder))
    with ExitStack() as stack:
        for number, home in enumerate(homes):
            serve = (words, "serve", "--no-browser", "--home", str(home))
            stack.enter_context(running(serve, base / f"syncthing-{number}.log", _SYNCTHING_SETTINGS))
        until((made.target / _PROBE).exists, "syncthing's first copy", within=120)
        yield made


def _mirrored(base: Path) -> Mirrored:
    base.mkdir()
    made = Mirrored(base / "source", base / "target")
    for path in (made.source, made.target):
        path.mkdir()
    (made.source / _PROBE).write_text("first")
    return made


def _identity(words: str, home: Path) -> str:
    """Make an instance's keys; its device id."""
    finish((words, "generate", "--no-default-folder", "--home", str(home)), _SYNCTHING_SETTINGS)
    return finish((words, "--device-id", "--home", str(home)), _SYNCTHING_SETTINGS).strip()


def _syncthing_config(names: list[str], own: int, port: int, other_port: int, folder: Path) -> str:
    """Everything that would talk to anybody but the other instance is off; the rest is as it comes."""
    addresses = ("dynamic", f"tcp://127.0.0.1:{other_port}")
    devices = "".join(
        f'<device id="{name}" name="n{number}"><address>{addresses[number != own]}</address></device>'
        for number, name in enumerate(names)
    )
    members = "".join(f'<device id="{name}"/>' for name in names)
    off = "".join(
        f"<{key}>{value}</{key}>"
        for key, value in (
            ("listenAddress", f"tcp://127.0.0.1:{port}"),
            ("globalAnnounceEnabled", "false"),
            ("localAnnounceEnabled", "false"),
            ("relaysEnabled", "false"),
            ("natEnabled", "false"),
            ("stunKeepaliveStartS", "0"),
            ("crashReportingEnabled", "false"),
            ("urAccepted", "-1"),
            ("autoUpgradeIntervalH", "0"),
            ("startBrowser", "false"),
            ("setLowPriority", "false"),
            ("reconnectionIntervalS", "5"),
        )
    )
    return (
        f'<configuration version="36"><folder id="web" label="web" path="{folder}" type="sendreceive" '
        f'rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="10">{members}'
        f"<filesystemType>basic</filesystemType></folder>{devices}"
        f'<gui enabled="true" tls="false"><address>127.0.0.1:{free_port()}</address>'
        f"<apikey>{secrets.token_hex(16)}</apikey></gui><options>{off}</options></configuration>\n"
    )
