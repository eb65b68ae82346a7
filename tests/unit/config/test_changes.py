"""What a running agent takes over of a configuration that was read again, and what waits for a restart."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from agent.config import Settings, load
from agent.config.changes import changes
from agent.config.schema import LIVE_KEYS, REOPENING_KEYS, SHARED_KEYS
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
        (HEAD + '[tls]\nca = "/x/ca.crt"\n' + WEB, ("tls.ca", "tls.crl")),
        (HEAD + '[console]\nlisten = "127.0.0.1:1"\n' + WEB, ("console.listen",)),
        (HEAD + WEB + 'vault = "/backup"\n', ("dataset[web].vault",)),
        (HEAD + WEB + 'exclude = ["*.o"]\nvault = "/backup"\n', ("dataset[web].exclude", "dataset[web].vault")),
    ],
)
def test_what_needs_a_restart_is_named_and_stays(read: Reader, text: str, waiting: tuple[str, ...]) -> None:
    """With all that would open the same dataset anew; live keys beside it are taken over all the same."""
    running = read(HEAD + WEB)
    found = changes(running, read(text))
    assert (running.datasets, running.node, running.tls, running.console) == (
        found.settings.datasets,
        found.settings.node,
        found.settings.tls,
        found.settings.console,
    )
    assert ((), waiting, frozenset()) == (found.taken, found.waiting, found.reopened)
    found = changes(running, read(text + 'brake = { deleted = "1%" }\n'))
    assert (("dataset[web].brake",), waiting, frozenset()) == (found.taken, found.waiting, found.reopened)


def test_files_of_another_node_say_nothing(read: Reader) -> None:
    """Its datasets would be those of that node."""
    running = read(HEAD + WEB)
    text = (HEAD + WEB + MAIL).replace('"beta"', '"x"').replace('name = "alpha"', 'name = "beta"')
    found = changes(running, read(text.replace('name = "x"', 'name = "alpha"').replace('["x"]', '["beta"]')))
    assert (running, (), ("node.name", "tls.cert", "tls.key")) == (found.settings, found.taken, found.waiting)


def test_peers_come_go_and_move(read: Reader) -> None:
    """No dataset is touched by that."""
    running = read(HEAD + '[[peer]]\nname = "gamma"\naddress = "c:1"\n' + WEB)
    new = read(HEAD.replace("beta.example", "elsewhere") + '[[peer]]\nname = "delta"\naddress = "d:1"\n' + WEB)
    found = changes(running, new)
    assert ("peer[beta].address", "peer[delta]", "peer[gamma]") == found.taken
    assert (new.peers, (), frozenset()) == (found.settings.peers, found.waiting, found.reopened)


def test_datasets_come_and_go(read: Reader) -> None:
    """A renamed one is one that goes and one that comes."""
    running, new = read(HEAD + WEB), read(HEAD + MAIL)
    found = changes(running, new)
    assert (new.datasets, ("dataset[mail]", "dataset[web]"), ()) == (
        found.settings.datasets,
        found.taken,
        found.waiting,
    )
    assert (frozenset({"mail"}), frozenset({"web"}), frozenset()) == (found.came, found.gone, found.reopened)


def test_a_dataset_is_opened_anew_for_what_it_cannot_take_while_open(read: Reader) -> None:
    """All of it is taken then; the other one runs on."""
    new = read(HEAD + WEB.replace("/srv/web", "/srv/other") + 'exclude = ["*.o"]\nhistory = "1h"\n' + MAIL)
    found = changes(read(HEAD + WEB + MAIL), new)
    assert (("dataset[web].path", "dataset[web].exclude", "dataset[web].history"), ()) == (found.taken, found.waiting)
    assert (new.datasets, frozenset({"web"})) == (found.settings.datasets, found.reopened)


def test_a_dataset_is_opened_anew_for_another_one_below_it(read: Reader) -> None:
    """What lies there is not its own any more, or is its own again."""
    outer = WEB + 'exclude = ["inner"]\n'
    alone, nested = read(HEAD + outer), read(HEAD + outer + MAIL.replace("/srv/mail", "/srv/web/inner"))
    assert [frozenset({"web"}), frozenset({"web"})] == [
        changes(alone, nested).reopened,
        changes(nested, alone).reopened,
    ]


def test_every_live_key_is_one_of_a_dataset(read: Reader) -> None:
    """And none of them is what both nodes compare; what both compare opens it anew, but for its name and kind."""
    assert SHARED_KEYS - {"name", "kind"} <= REOPENING_KEYS
    assert not REOPENING_KEYS & LIVE_KEYS
    assert LIVE_KEYS < {field.name for field in fields(Dataset)}
    one = read(HEAD + WEB).datasets[0]
    other = read(HEAD + WEB + 'brake = { deleted = "1%" }\nlimits = { steady = [{ rate = "1MB/s" }] }\n').datasets[0]
    assert (one.digest, one) == (other.digest, replace(other, brake=one.brake, limits=one.limits))
