"""What a service unit says of how its program is begun, and what no stage can begin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.core.errors import NotFound, Refused
from agent.node.rehearsing.probe_units import unit_programs, unit_text
from agent.roles.rehearsal.unit_text import NotOnAStage, UnitCommand, UnitKind, unit_program, words_of

SHOP = r"""# /etc/systemd/system/shop@.service
[Unit]
Description=The shop
Requires=postgresql.service

[Service]
Type=notify
User=shop
Group=www-data
SupplementaryGroups=ssl mail
WorkingDirectory=/srv/%i
Environment=A=1 "B=two words" C=%t/x
Environment=D=\x41
EnvironmentFile=-/etc/default/shop
EnvironmentFile=/etc/shop.env
ExecStartPre=-/bin/mkdir -p /srv/%i/tmp
ExecStart=/usr/bin/shop --name "%p of %i" \
    # a comment between
    --port ${PORT}
RuntimeDirectory=shop shop/%i
RuntimeDirectoryMode=0750
UMask=0077
TimeoutStartSec=1min 30s
Restart=always

[Install]
WantedBy=multi-user.target

# /etc/systemd/system/shop@.service.d/more.conf
[Service]
ExecStartPre=
ExecStartPre=@/bin/true yes ; :/bin/echo $A
"""


def test_a_unit_and_its_drop_in_are_read() -> None:
    """Lists begin anew where a key is set to nothing; what the service manager alone acts on is passed over."""
    found = unit_program("shop@web.service", SHOP)
    assert (UnitKind.NOTIFY, "shop", "www-data", ("ssl", "mail")) == (found.kind, found.user, found.group, found.groups)
    assert {"A": "1", "B": "two words", "C": "/run/x", "D": "A"} == found.environment
    assert (("/etc/default/shop", True), ("/etc/shop.env", False)) == found.files
    assert (UnitCommand(("/usr/bin/shop", "--name", "shop of web", "--port", "${PORT}")),) == found.main
    assert (UnitCommand(("/bin/true",), "yes"), UnitCommand(("/bin/echo", "$A"), verbatim=True)) == found.before
    assert ("/srv/web", 0o077, ("shop", "shop/web"), 0o750, 90.0) == (
        found.directory,
        found.umask,
        found.directories,
        found.mode,
        found.seconds,
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('a  \'b c\' "d\\"e"', ["a", "b c", 'd"e']),
        ("''", [""]),
        (r"\x20 \040 \u00e9 \s\n", [" ", " ", "é", " \n"]),
        ("--x='a b'c", ["--x=a bc"]),
    ],
)
def test_words_are_quoted_as_systemd_has_it(line: str, expected: list[str]) -> None:
    """And what a backslash stands for."""
    assert expected == words_of(line)


@pytest.mark.parametrize(
    ("name", "lines", "why"),
    [
        ("shop.socket", "ExecStart=/bin/true", "it is no service"),
        ("shop.service", "", "it begins no program"),
        ("shop.service", "ExecStart=/bin/a\nExecStart=/bin/b", "several at once"),
        ("shop.service", "ExecStart=+/bin/a", "the machine's privileges"),
        ("shop.service", "ExecStart=-!/bin/a", "the machine's privileges"),
        ("shop.service", "ExecStart=/bin/a\nType=dbus", "over D-Bus"),
        ("shop.service", "ExecStart=/bin/a\nDynamicUser=yes", "its user is made"),
        ("shop.service", "ExecStart=/bin/a\nRootDirectory=/srv", "a root of its own"),
        ("shop.service", "ExecStart=/bin/a 'b", "a quote is not closed"),
        ("shop.service", "ExecStart=/bin/a %q", "%q stands in it"),
        ("shop.service", "ExecStart=/bin/a\nUMask=9", "is no mode"),
        ("shop.service", "ExecStart=/bin/a\nTimeoutStartSec=soon", "is no time"),
        ("shop.service", "ExecStart=-", "it runs no program"),
    ],
)
def test_what_no_stage_can_begin_says_why(name: str, lines: str, why: str) -> None:
    """In words that name what stands there."""
    with pytest.raises(NotOnAStage, match=re.escape(why)):
        unit_program(name, f"[Service]\n{lines}\n")


def test_a_unit_is_refused_by_its_name() -> None:
    """For the operator; one that is not there is said by who looked for it."""
    with pytest.raises(Refused, match=r"\(shop\.service\): it cannot be begun on a stage: it begins no program"):
        unit_programs(("shop.service",), lambda _: "[Service]\n")

    def missing(name: str) -> str:
        raise NotFound("rehearse", name, "no such unit", "")

    with pytest.raises(NotFound):
        unit_programs(("none.service",), missing)


def test_without_systemd_a_program_is_named_in_its_place(tmp_path: Path) -> None:
    """Nobody else knows units."""
    with pytest.raises(Refused, match="systemd does not run here") as refused:
        unit_text("shop.service", str(tmp_path / "none"))
    assert 'write probe = ["PROGRAM", "ARGUMENT"] below [dataset.hooks]' == refused.value.remedy
