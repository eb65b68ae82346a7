"""What a running agent takes over of a configuration that was read again, and what waits for a restart."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from agent.config import Settings, load
from agent.config.changes import changes
from agent.config.schema import LIVE_KEYS
from agent.config.values import Dataset

HEAD = '[node]\nname = "alpha"\n[[peer]]\nname = "beta"\naddress = "beta.example:7440"\n'
WEB = '[[dataset]]\nname = "web"\npath = "/srv/web"\nprimary = "alpha"\nstandby = ["beta"]\n'
MAIL = WEB.replace("web", "mail")


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Reads a text as a configuration."""
    return Reader(tmp_path / "agent.toml")


class Reader:
    """A file, written and loaded."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, text: str) -> Settings:
        self._file.write_text(text)
        return load(str(self._file))


def test_the_same_again_changes_nothing(read: Reader) -> None:
    """However it is written."""
    running = read(HEAD + WEB + MAIL)
    found = changes(running, read(HEAD + MAIL + "# a comment\n" + WEB + 'kind = "tree"\n'))
    assert (running, (), ()) == (found.settings, found.taken, found.waiting)


def test_limits_and_brake_are_taken_over(read: Reader) -> None:
    """They are those of the file then, in the dataset that they stand in."""
    running = read(HEAD + WEB + MAIL)
    new = read(HEAD + WEB + 'brake = { deleted = "1%" }\nlimits = { steady = [{ rate = "1MB/s" }] }\n' + MAIL)
    found = changes(running, new)
    assert (("dataset[web].brake", "dataset[web].limits"), ()) == (found.taken, found.waiting)
    assert new.datasets == found.settings.datasets
    assert ((), ()) == ((again := changes(found.settings, new)).taken, again.waiting)


@pytest.mark.parametrize(
    ("text", "waiting"),
    [
        (HEAD.replace('"alpha"\n', '"alpha"\nlisten = "0.0.0.0:1"\n') + WEB, ("node.listen",)),
        (HEAD.replace("beta.example", "elsewhere") + WEB, ("peer[beta].address",)),
        (HEAD + '[[peer]]\nname = "gamma"\naddress = "c:1"\n' + WEB, ("peer[gamma]",)),
        (HEAD + '[tls]\nca = "/x/ca.crt"\n' + WEB, ("tls.ca", "tls.crl")),
        (HEAD + '[console]\nlisten = "127.0.0.1:1"\n' + WEB, ("console.listen",)),
        (HEAD + MAIL, ("dataset[mail]", "dataset[web]")),
        (HEAD + WEB.replace("/srv/web", "/srv/other"), ("dataset[web].path",)),
        (HEAD + WEB + 'exclude = ["*.o"]\nhistory = "1h"\n', ("dataset[web].exclude", "dataset[web].history")),
    ],
)
def test_what_needs_a_restart_is_named_and_stays(read: Reader, text: str, waiting: tuple[str, ...]) -> None:
    """Everything else goes on as it was; live keys beside it are taken over all the same."""
    running = read(HEAD + WEB)
    found = changes(running, read(text))
    assert (running, (), waiting) == (found.settings, found.taken, found.waiting)
    found = changes(running, read(text + 'brake = { deleted = "1%" }\n'))
    wanted = () if "dataset[web]" in waiting else ("dataset[web].brake",)
    assert (wanted, waiting) == (found.taken, found.waiting)


def test_every_live_key_is_one_of_a_dataset(read: Reader) -> None:
    """And none of them is what both nodes compare."""
    assert LIVE_KEYS < {field.name for field in fields(Dataset)}
    one = read(HEAD + WEB).datasets[0]
    other = read(HEAD + WEB + 'brake = { deleted = "1%" }\nlimits = { steady = [{ rate = "1MB/s" }] }\n').datasets[0]
    assert (one.digest, one) == (other.digest, replace(other, brake=one.brake, limits=one.limits))
