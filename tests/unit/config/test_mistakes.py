"""What is wrong in configuration files: each mistake is said, with its place, in a line of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import ConfigMistakes, file_mistakes, load
from agent.core.errors import ConfigError, Exit
from fakes.config_files import BASE, NODE, PEER, WEB, mistakes, write

WRONG = [
    ("", 'agent.toml: node.name: is missing; write name = "alpha"'),
    (BASE + "[nodes]\n", 'agent.toml: nodes: is no table that is known; did you mean "node"?'),
    (
        '[node]\nname = "alpha"\nlissen = "x"\n',
        'agent.toml: node.lissen: is no key that is known; did you mean "listen"?',
    ),
    (
        '[node]\nname = "alpha"\nzzz = 1\n',
        "agent.toml: node.zzz: is no key that is known; known here: admin_socket, listen, name, state_dir",
    ),
    (
        '[node]\nname = "Alpha_1"\n',
        'agent.toml: node.name: "Alpha_1" is no name for a node; '
        'write up to 63 of a-z, 0-9 and "-", with no "-" at either end, like "alpha"',
    ),
    ("node = 3\n", 'agent.toml: node: 3 is no table; write name = "alpha" below [node]'),
    (
        '[node]\nname = "alpha"\nlisten = "7440"\n',
        'agent.toml: node.listen: "7440" is no address; write host:port, like "beta.example:7440" or "[::]:7440"',
    ),
    (
        '[node]\nname = "alpha"\nlisten = "0.0.0.0:74400"\n',
        'agent.toml: node.listen: "0.0.0.0:74400" has no valid port; write one between 1 and 65535',
    ),
    (
        '[node]\nname = "alpha"\nstate_dir = "lib"\n',
        'agent.toml: node.state_dir: "lib" is a relative path; write the whole path from /, like "/srv/lib"',
    ),
    (
        f'[node]\nname = "alpha"\nadmin_socket = "/run/{"x" * 103}"\n',
        f'agent.toml: node.admin_socket: "/run/{"x" * 103}" is longer than the 107 bytes of a socket\'s path; '
        "write a shorter one",
    ),
    (
        f'[node]\nname = "{"x" * 300}"\n',
        f'agent.toml: node.name: "{"x" * 197}..." is no name for a node; '
        'write up to 63 of a-z, 0-9 and "-", with no "-" at either end, like "alpha"',
    ),
    (NODE + "[tls]\nca = 1\n", 'agent.toml: tls.ca: 1 is not a text in quotes; write one, like "/srv/web"'),
    (NODE + "[peer]\n", "agent.toml: peer: a table is no list; write [[peer]] with double brackets"),
    (
        NODE + '[[peer]]\nname = "beta"\n',
        'agent.toml: peer[beta].address: is missing; write address = "beta.example:7440"',
    ),
    (NODE + PEER + PEER.replace("beta.example", "b"), "agent.toml: peer[beta]: is there twice; leave one of them out"),
    (
        NODE + PEER + PEER.replace('"beta"', '"gamma"'),
        'agent.toml: peer[gamma].address: "beta.example:7440" is the address of peer "beta" too; write its own address',
    ),
    (BASE + "[dataset]\n", "agent.toml: dataset: a table is no list of tables; write [[dataset]]"),
    (
        BASE + WEB + "histroy = 1\n",
        'agent.toml: dataset[web].histroy: is no key that is known; did you mean "history"?',
    ),
    (
        BASE + WEB + "history = 24\n",
        'agent.toml: dataset[web].history: 24 is no duration; write a number and a unit (s, m, h, d, w), like "24h"',
    ),
    (
        BASE + WEB + 'history = "0s"\n',
        'agent.toml: dataset[web].history: "0s" is out of range; write a duration between "1s" and "5000w"',
    ),
    (
        BASE + WEB + 'watch = "kqueue"\n',
        'agent.toml: dataset[web].watch: "kqueue" is not one of "auto", "fanotify", "inotify", "polling"; write watch = "auto"',
    ),
    (
        BASE + WEB + 'adopt = "yes"\n',
        'agent.toml: dataset[web].adopt: "yes" is neither true nor false; write adopt = false',
    ),
    (
        BASE + WEB + 'exclude = "*.tmp"\n',
        'agent.toml: dataset[web].exclude: "*.tmp" is no list; write exclude = ["**/*.tmp"]',
    ),
    (
        BASE + WEB + 'exclude = ["a", "# b"]\n',
        'agent.toml: dataset[web].exclude[2]: "# b" matches nothing (blank, or a comment); write a pattern, like "**/*.tmp"',
    ),
    (
        BASE + WEB + 'exclude = ["[a"]\n',
        'agent.toml: dataset[web].exclude[1]: "[a" matches nothing (a [ that no ] closes; \\[ is the sign itself); '
        'write a pattern, like "**/*.tmp"',
    ),
    (
        BASE + WEB + "group = 5\n",
        'agent.toml: dataset[web].group: 5 is no name for a group; write up to 63 letters, digits, ".", "_" and "-", '
        'beginning with a letter or digit, like "shop"',
    ),
    (
        BASE + WEB + '[dataset.limits]\nsteady = [{ rate = "0MB/s" }]\n',
        'agent.toml: dataset[web].limits.steady[1].rate: "0MB/s" lets nothing pass; write a rate above 0, like "80MB/s", '
        "or leave it out for no limit",
    ),
    (
        BASE + WEB + 'vault_limit = "0GB"\n',
        'agent.toml: dataset[web].vault_limit: "0GB" is nothing; write a size above 0, like "500GB", or leave it out for none',
    ),
    (
        BASE + WEB.replace('"/srv/web"', '"web"'),
        'agent.toml: dataset[web].path: "web" is a relative path; write the whole path from /, like "/srv/web"',
    ),
    (
        BASE + WEB + 'exclude = ["/log[9-0]"]\n',
        'agent.toml: dataset[web].exclude[1]: "/log[9-0]" is no pattern (bad character range 9-0); '
        'write one as in .gitignore, like "**/*.tmp"',
    ),
    (
        BASE + WEB + 'exclude = ["*.log"]\ninclude = ["!keep.log"]\n',
        'agent.toml: dataset[web].include[1]: "!keep.log" says "not" twice, as include names what stays; write "keep.log"',
    ),
    (
        BASE + WEB + 'reconcile = "61 * * * *"\n',
        'agent.toml: dataset[web].reconcile: "61 * * * *" is no cron line (Bad minute); '
        'write minute, hour, day, month and weekday, like "0 3 * * *"',
    ),
    (
        BASE + WEB.replace("/srv/web", "/sys/block/sda") + 'kind = "device"\n',
        'agent.toml: dataset[web].path: "/sys/block/sda" lies in a filesystem of the kernel\'s own; '
        "write a block device, like /dev/sdb, or a file",
    ),
    (
        BASE + WEB + '[dataset.device]\nfreeze = "fast"\n',
        'agent.toml: dataset[web].device.freeze: "fast" is no duration; '
        'write a number and a unit (ms, s, m, h, d, w), like "50ms"',
    ),
    (
        BASE + WEB + '[dataset.device]\nrpo = "1ms"\n',
        'agent.toml: dataset[web].device.rpo: "1ms" is out of range; write a duration between "100ms" and "1d"',
    ),
    (
        BASE + WEB + 'vault_limit = "lots"\n',
        'agent.toml: dataset[web].vault_limit: "lots" is no size; write a number and a unit (MB, GB, GiB, TB), like "500GB"',
    ),
    (
        BASE + WEB + '[dataset.brake]\ndeleted = "130%"\n',
        'agent.toml: dataset[web].brake.deleted: "130%" is no percentage; write one between 0 and 100, like "30%"',
    ),
    (
        BASE + WEB + "[dataset.brake]\nmin_entries = -1\n",
        "agent.toml: dataset[web].brake.min_entries: -1 is below zero; write min_entries = 100",
    ),
    (
        BASE + WEB + "[dataset.generations]\nkeep = { dayly = 3 }\n",
        'agent.toml: dataset[web].generations.keep.dayly: is no key that is known; did you mean "daily"?',
    ),
    (
        BASE + WEB + "[dataset.generations]\nkeep = 3\n",
        "agent.toml: dataset[web].generations.keep: 3 is no table; write keep = { hourly = 24, daily = 30 }",
    ),
    (
        BASE + WEB + '[dataset.limits]\nsteady = [{ rate = "80" }]\n',
        'agent.toml: dataset[web].limits.steady[1].rate: "80" is no rate; write bytes a second, like "80MB/s"',
    ),
    (
        BASE + WEB + '[dataset.limits]\nsteady = [{ hours = "22-5" }]\n',
        'agent.toml: dataset[web].limits.steady[1].hours: "22-5" is no span of hours; '
        'write from and to as HH:MM-HH:MM, like "22:00-05:00"',
    ),
    (
        BASE + WEB + '[dataset.hooks]\nstart = "systemctl start shop"\n',
        'agent.toml: dataset[web].hooks.start: "systemctl start shop" is no list of words; '
        'write the program and each argument for itself, like ["systemctl", "start", "shop"]',
    ),
    (
        BASE + WEB + "[dataset.hooks]\nstop = { run = [] }\n",
        "agent.toml: dataset[web].hooks.stop: runs nothing; "
        'write the program into run, or "none" in place of the table',
    ),
    (
        BASE + WEB + '[dataset.hooks]\nstop = { run = ["x"], on_failure = "ignore" }\n',
        'agent.toml: dataset[web].hooks.stop.on_failure: "ignore" is not one of "abort", "go-on"; '
        'write on_failure = "abort"',
    ),
    (
        BASE + WEB + '[dataset.hooks]\nstop = { run = ["x"], retry = 1 }\n',
        'agent.toml: dataset[web].hooks.stop.retry: is no key that is known; did you mean "retries"?',
    ),
    (
        BASE + WEB.replace('path = "/srv/web"\n', ""),
        'agent.toml: dataset[web].path: is missing; write path = "/srv/web"',
    ),
    (
        BASE + WEB.replace('"/srv/web"', '"srv/web"'),
        'agent.toml: dataset[web].path: "srv/web" is a relative path; write the whole path from /, like "/srv/web"',
    ),
    (
        BASE + WEB.replace('"/srv/web"', '"/srv/../etc"'),
        'agent.toml: dataset[web].path: "/srv/../etc" holds ".."; write where it really leads',
    ),
    (
        BASE + WEB.replace('"/srv/web"', '{ alpha = "/srv/web" }'),
        'agent.toml: dataset[web].path: has no path for "beta"; write beta = "/srv/..." into the table',
    ),
    (
        BASE + WEB.replace('"/srv/web"', '{ alpha = "/a", beta = "/b", betta = "/c" }'),
        'agent.toml: dataset[web].path.betta: "betta" is neither this node nor a [[peer]]; did you mean "beta"?',
    ),
    (
        BASE + WEB.replace('["beta"]', '["betta"]'),
        'agent.toml: dataset[web].standby: "betta" is neither this node nor a [[peer]]; did you mean "beta"?',
    ),
    (
        BASE + WEB.replace('"alpha"', '"gamma"').replace('["beta"]', '["alpha"]'),
        'agent.toml: dataset[web].primary: "gamma" is neither this node nor a [[peer]]; known here: alpha, beta',
    ),
    (
        BASE + WEB.replace('["beta"]', "[]"),
        'agent.toml: dataset[web].standby: is empty; name the nodes that keep a standby, like ["beta"]',
    ),
    (
        BASE + WEB.replace('["beta"]', '["alpha", "beta"]'),
        'agent.toml: dataset[web].standby: "alpha" is its primary; leave it out here',
    ),
    (
        BASE + WEB.replace('["beta"]', '["beta", "beta"]'),
        'agent.toml: dataset[web].standby: "beta" is there twice; leave one out',
    ),
    (
        BASE + WEB + WEB,
        "agent.toml: dataset[web].name: is configured in agent.toml already; give it another name, or leave one out",
    ),
    (
        BASE + WEB + WEB.replace('"web"', '"www"'),
        'agent.toml: dataset[www].path: "/srv/web" is the path of dataset "web" on alpha; write another place',
    ),
    (
        BASE + WEB + WEB.replace('"web"', '"www"').replace('"/srv/web"', '{ alpha = "/other", beta = "/srv/web" }'),
        'agent.toml: dataset[www].path: "/srv/web" is the path of dataset "web" on beta; write another place',
    ),
    (
        BASE + WEB.replace("/srv/web", "/var/lib/hikae/web"),
        'agent.toml: dataset[web].path: "/var/lib/hikae/web" lies in state_dir (/var/lib/hikae); '
        "write another place for either",
    ),
    (
        BASE.replace('"alpha"', '"beta"', 1).replace('"beta"\naddress', '"alpha"\naddress')
        + WEB.replace("/srv/web", "/var"),
        'agent.toml: dataset[web].path: state_dir (/var/lib/hikae) lies in "/var", which would be written over as a standby; '
        "write another path, or another state_dir",
    ),
    (
        BASE + WEB + 'vault = "/srv/web/vault"\n',
        'agent.toml: dataset[web].vault: "/srv/web/vault" and the path of dataset "web" lie in each other; write another place',
    ),
    ("[node\n", "agent.toml:1:6: is no TOML: Expected ']' at the end of a table declaration"),
]


@pytest.mark.parametrize(("text", "expected"), WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_each_mistake_is_said(tmp_path: Path, text: str, expected: str) -> None:
    """Each kind of mistake gives this line, and only this line."""
    assert [expected] == mistakes(write(tmp_path, text), tmp_path)


def test_all_mistakes_together(tmp_path: Path) -> None:
    """Mistakes of all files are reported at once, in one error with the configuration's exit code."""
    path = write(
        tmp_path,
        BASE.replace(":7440", "") + WEB + "adopt = 1\n",
        mail=WEB.replace('"web"', '"mail"') + 'watch = "x"\n',
        other="[node]\n[[dataset]]\n",
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert Exit.CONFIG == caught.value.exit_code
    assert f"cannot use the configuration ({path}): 8 mistakes".replace(f"{tmp_path}/", "") == lines[0]
    assert [
        "agent.toml: peer[beta].address",
        "agent.toml: dataset[web].adopt",
        "datasets.d/mail.toml: dataset[mail].watch",
        "datasets.d/other.toml: dataset[#1].name",
        "datasets.d/other.toml: dataset[#1].path",
        "datasets.d/other.toml: dataset[#1].primary",
        "datasets.d/other.toml: dataset[#1].standby",
        "datasets.d/other.toml: node",
    ] == sorted({": ".join(line.strip().split(": ")[:2]) for line in lines[1:]}, key=_file_order)


def _file_order(line: str) -> tuple[bool, str, bool, str]:
    file, key = line.split(": ")
    return file != "agent.toml", file, not key.startswith("peer") and file == "agent.toml", key


def test_twice_in_two_files(tmp_path: Path) -> None:
    """A dataset that stands in two files is a mistake that names both."""
    path = write(tmp_path, BASE + WEB, mail=WEB)
    expected = [
        "datasets.d/mail.toml: dataset[web].name: is configured in agent.toml already; give it another name, or leave one out"
    ]
    assert expected == mistakes(path, tmp_path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is absent, a directory or not UTF-8 is said as such."""
    absent = "agent.toml: does not exist; write it, or name another by --config or HIKAE_CONFIG"
    assert [absent] == mistakes(str(tmp_path / "agent.toml"), tmp_path)
    (tmp_path / "agent.toml").write_bytes(b'[node]\nname = "\xff"\n')
    assert ["agent.toml: is not in UTF-8 (byte 15); save it in UTF-8"] == mistakes(
        str(tmp_path / "agent.toml"), tmp_path
    )
    (tmp_path / "agent.toml").unlink()
    (tmp_path / "agent.toml").mkdir()
    expected = ["agent.toml: cannot be read (Is a directory); make it readable for this user"]
    assert expected == mistakes(str(tmp_path / "agent.toml"), tmp_path)


def test_files_that_are_not_as_they_should_be(tmp_path: Path) -> None:
    """Certificates that are absent, keys that others can read, and paths that links make the same are named."""
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").touch()
    (tmp_path / "pki" / "alpha.key").touch(mode=0o644)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    text = BASE + WEB.replace("/srv/web", f"{tmp_path}/real")
    settings = load(write(tmp_path, text + WEB.replace('"web"', '"www"').replace("/srv/web", f"{tmp_path}/link")))
    assert [
        'agent.toml: tls.cert: "pki/alpha.crt" does not exist; '
        "make it with: hikae pki issue alpha, or write where it is",
        'agent.toml: tls.key: "pki/alpha.key" can be read by others; type: chmod 600 pki/alpha.key',
        'agent.toml: dataset[www].path: "link" leads to the path of dataset "web"; write another place',
    ] == [str(mistake).replace(f"{tmp_path}/", "") for mistake in file_mistakes(settings)]


def test_a_key_that_is_gone_is_renewed_with_its_certificate(tmp_path: Path) -> None:
    """To issue another would be refused beside the certificate that there is; without one, both are made."""
    settings = load(write(tmp_path, BASE))
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").touch()
    found = []
    for _ in range(2):
        found.append([str(mistake).partition("; ")[2] for mistake in file_mistakes(settings)])
        (tmp_path / "pki" / "alpha.crt").touch()
    issue = "make it with: hikae pki issue alpha, or write where it is"
    renew = (
        "copy it from where it was made, or make both anew there: hikae pki renew alpha --dir DIR, and copy them, "
        "or write where it is"
    )
    assert [[issue, issue], [renew]] == found


NEVER = [
    (BASE + WEB + 'exclude = ["**"]\n', "dataset[web].exclude: leaves out everything"),
    (BASE + WEB + 'exclude = ["*.o", "*"]\n', "dataset[web].exclude: leaves out everything"),
    (BASE + WEB + 'exclude = ["/srv/web/cache"]\n', 'dataset[web].exclude[1]: "/srv/web/cache" never matches'),
    (BASE + WEB.replace("/srv/web", "/proc"), 'dataset[web].path: "/proc" lies in a filesystem of the kernel'),
    (BASE + WEB.replace("/srv/web", "/sys/fs"), 'dataset[web].path: "/sys/fs" lies in a filesystem of the kernel'),
    (BASE + WEB.replace('"alpha"', '"ghost"'), 'dataset[web].primary: "ghost" is neither this node nor a [[peer]]'),
    (BASE.replace("beta.example:7440", "127.0.0.1:7440") + WEB, "peer[beta].address: "),
    (BASE + '[health]\nlisten = "127.0.0.1:7440"\n' + WEB, 'health.listen: "127.0.0.1:7440" is taken by node.listen'),
    (BASE + WEB + "limits = { steady = [{}] }\n", "dataset[web].limits.steady[1]: says nothing"),
    (
        BASE + WEB + 'limits = { steady = [{ rate = "1MB/s" }, { hours = "08:00-18:00", rate = "2MB/s" }] }\n',
        "dataset[web].limits.steady[2]: is never reached",
    ),
    (
        BASE
        + WEB
        + 'limits = { first_sync = [{ hours = "20:00-08:00" }, { hours = "22:00-05:00", rate = "2MB/s" }] }\n',
        "dataset[web].limits.first_sync[2]: is never reached",
    ),
]


@pytest.mark.parametrize(("text", "said"), NEVER, ids=[said for _, said in NEVER])
def test_what_cannot_do_what_is_meant(tmp_path: Path, text: str, said: str) -> None:
    """It is written rightly, and is refused."""
    with pytest.raises(ConfigMistakes) as caught:
        load(write(tmp_path, text))
    assert [said] == [str(one).partition("agent.toml: ")[2][: len(said)] for one in caught.value.mistakes]


@pytest.mark.parametrize(
    "text",
    [
        BASE + WEB.replace("/srv/web", "/dev/shm/web"),
        BASE + WEB.replace("/srv/web", "/process"),
        BASE + WEB + 'exclude = ["**"]\ninclude = ["keep/"]\n',
        BASE + WEB + 'exclude = ["**/*.tmp", "/cache", ".*"]\n',
        BASE + WEB + 'limits = { steady = [{ hours = "08:00-18:00", rate = "2MB/s" }, { rate = "1MB/s" }] }\n',
    ],
)
def test_what_looks_odd_and_can_be_meant(tmp_path: Path, text: str) -> None:
    """It is let through."""
    assert ["web"] == [dataset.name for dataset in load(write(tmp_path, text)).datasets]


def test_a_pattern_that_may_mean_something_else_tomorrow(tmp_path: Path) -> None:
    """Python warns of it; here it is refused, where somebody reads it."""
    with pytest.raises(ConfigMistakes, match="is no pattern"):
        load(write(tmp_path, BASE + WEB + 'exclude = ["/a[b--c]?"]\n'))


def test_places_that_links_lead_to(tmp_path: Path) -> None:
    """A path may not lead into the state directory, nor to what is no directory."""
    (tmp_path / "state").mkdir()
    (tmp_path / "inner").symlink_to("state")
    (tmp_path / "file").touch()
    text = BASE.replace('"alpha"', f'"alpha"\nstate_dir = "{tmp_path}/state"', 1) + WEB
    found = [
        str(mistake).partition("agent.toml: ")[2].replace(f"{tmp_path}/", "")
        for place in ("inner/web", "file")
        for mistake in file_mistakes(load(write(tmp_path, text.replace("/srv/web", f"{tmp_path}/{place}"))))
        if not mistake.key.startswith("tls")
    ]
    assert [
        'dataset[web].path: "inner/web" leads to "state/web", and state_dir to "state": one lies in the other; '
        "write another place for either",
        'dataset[web].path: "file" is there, and is no directory; write another place',
    ] == found


def test_quiesce_that_makes_no_moment(tmp_path: Path) -> None:
    """Clones of files are no moment: it is refused, with what to write instead."""
    (mistake,) = mistakes(write(tmp_path, BASE + WEB + 'quiesce = "reflink"\n'), tmp_path)
    assert mistake.startswith('agent.toml: dataset[web].quiesce: "reflink" makes no moment: ')
    assert 'write "freeze", or on btrfs "btrfs"' in mistake
