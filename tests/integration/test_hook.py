"""`hikae hook …` in namespaces of its own: an address and its announcement, mounts and views, each twice."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent.shipped.address import arp_frame

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")

#: What ``hook`` stands for in the scripts below.
HOOK = f'hook() {{ "{sys.executable}" -m agent.cli.main hook "$@"; }}\n'
_LINK = """set -e
ip link add one type veth peer name two
ip link set one up; ip link set two up
"""
#: Notes every ARP packet that comes in at the other end of the cable, until it is killed.
_LISTENS = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as heard:
    heard.bind(("two", 0x0806))
    print("ready", flush=True)
    for _ in range(int(sys.argv[1])):
        print(heard.recv(64)[:42].hex(), flush=True)
"""


def typed(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script in mount and network namespaces of its own."""
    words = ["unshare", "--mount", "--net", "sh", "-c", HOOK + script, "sh", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_an_address_is_put_on_and_announced() -> None:
    """By gratuitous ARP, as request and as reply; a second time it is only announced, and goes again."""
    script = f"""{_LINK}
: > "$1/heard"; "$2" -c "$3" 12 >> "$1/heard" & listens=$!
until grep -q ready "$1/heard"; do kill -0 $listens; done
hook address-up one 192.0.2.10/24; hook address-up one 192.0.2.10/24
wait $listens
ip -brief address show dev one
hook address-down one 192.0.2.10/24; hook address-down one 192.0.2.10/24
cat "$1/heard"
"""
    done = typed(_with_place(script), sys.executable, _LISTENS)
    assert "" == done.stderr
    lines = done.stdout.splitlines()
    assert [
        "192.0.2.10/24 is on one, and was announced",
        "192.0.2.10/24 was on one, and was announced",
    ] == lines[:2]
    assert "192.0.2.10/24" in lines[2]
    assert ["192.0.2.10/24 was taken from one", "192.0.2.10/24 is not on one"] == lines[3:5]
    frames = [bytes.fromhex(line) for line in lines[lines.index("ready") + 1 :]]
    hardware, address = frames[0][6:12], socket.inet_aton("192.0.2.10")
    expected = {arp_frame(hardware, address, 1), arp_frame(hardware, address, 2)}
    assert (expected, 12) == (set(frames), len(frames))


def _with_place(script: str) -> str:
    """The script with a directory of its own as the first argument."""
    return f'mount -t tmpfs none /mnt\nset -- /mnt "$@"\n{script}'


def test_an_ipv6_address_and_wrong_words() -> None:
    """It is put on and taken off; an interface that is not there, and an address without its network, are told."""
    done = typed(f"{_LINK} hook address-up one 2001:db8::10/64; hook address-down one 2001:db8::10/64")
    assert (0, 2) == (done.returncode, len(done.stdout.splitlines()))
    missing, bare = typed("hook address-up none 192.0.2.10/24"), typed("hook address-up lo 192.0.2.10")
    assert (1, 2) == (missing.returncode, bare.returncode)
    assert ("does not exist" in missing.stderr, "192.0.2.10/24" in bare.stderr) == (True, True)
    assert "Traceback" not in missing.stderr + bare.stderr


def test_mounts_are_made_once(tmp_path: Path) -> None:
    """Mounted and unmounted twice; something else in the place is refused."""
    script = """cd "$1"; mkdir -p at other
mount -t tmpfs first other; hook mount none at --type tmpfs --options size=1m; hook mount none at --type tmpfs
grep -c " $1/at " /proc/self/mountinfo
hook mount "$1" other || echo "code $?"
hook umount at; hook umount at
"""
    done = typed(script, str(tmp_path))
    assert [
        "none was mounted at at", "none is mounted at at", "1", "code 3", "at was unmounted", "nothing is mounted at at",
    ] == done.stdout.splitlines()  # fmt: skip
    assert "first is mounted there" in done.stderr


def test_a_view_is_read_only_until_it_is_writable(tmp_path: Path) -> None:
    """By the standby's own path it can be written to all the time."""
    script = """cd "$1"; mkdir -p standby view; hook show "$1/standby" "$1/view"; hook show "$1/standby" "$1/view"
touch view/a 2>/dev/null || echo refused
touch standby/b; ls view
hook show "$1/standby" "$1/view" --writable; touch view/c; ls standby
grep -c " $1/view " /proc/self/mountinfo
hook show "$1/standby" "$1/standby" || echo "code $?"
hook show "$1/standby" "$1/nowhere" || echo "code $?"
"""
    done = typed(script, str(tmp_path))
    shown = f"{tmp_path}/standby is shown at {tmp_path}/view"
    assert [
        f"{shown}, read-only", f"{shown}, read-only", "refused", "b", f"{shown}, writable", "b", "c", "1", "code 3", "code 1",
    ] == done.stdout.splitlines()  # fmt: skip
    assert f"mkdir -p {tmp_path}/nowhere" in done.stderr


def test_units_without_a_service_manager_fail() -> None:
    """Starting and stopping are failures with what systemctl says, never passed over."""
    started, stopped = typed("hook units-start a.service"), typed("hook units-stop a.service b.service")
    assert (1, 1) == (started.returncode, stopped.returncode)
    assert "Traceback" not in started.stderr + stopped.stderr
