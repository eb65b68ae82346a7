"""A probe that tries to get out of its rehearsal by every door; it prints what let it through, one line each, and nothing else.

Its arguments: the port of a listener on the host, a socket and a FIFO of the host's by path, and an abstract socket's name."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable

_libc = ctypes.CDLL(None, use_errno=True)
_path = os.environ.get("HIKAE_PATH", "")


def _must(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "refused")


def _tcp() -> None:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)


def _udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sends:
        sends.sendto(b"out", ("192.0.2.1", 9))


def _unix(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as calls:
        calls.connect(name)


def _user_namespace() -> None:
    subprocess.run(["unshare", "--user", "--mount", "--map-root-user", "true"], check=True, capture_output=True)


def _service_manager() -> None:
    subprocess.run(["systemctl", "start", "--no-block", "cron.service"], check=True, capture_output=True)


def _disk() -> None:
    node = f"{_path}/disk"
    os.mknod(node, 0o600 | stat.S_IFBLK, os.makedev(254, 0))
    os.open(node, os.O_RDONLY)


def _keys() -> None:
    # add_key(2): what it starts on the host knows no namespaces.
    if _libc.syscall(248, b"user", b"x", b"y", 1, -1) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def _others() -> None:
    # The first process of the stage and those that this one began are all there is.
    if len([name for name in os.listdir("/proc") if name.isdecimal()]) <= 4:
        raise OSError("nobody else")


DOORS: dict[str, Callable[[], object]] = {
    "tcp": _tcp,
    "udp": _udp,
    "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "vsock": lambda: socket.socket(40, socket.SOCK_STREAM),
    "unix path": lambda: _unix(sys.argv[2]),
    "fifo": lambda: os.open(sys.argv[3], os.O_WRONLY | os.O_NONBLOCK),
    "unix abstract": lambda: _unix(f"\0{sys.argv[4]}"),
    "d-bus": lambda: _unix("/run/dbus/system_bus_socket"),
    "systemd": lambda: _unix("/run/systemd/private"),
    "systemctl": _service_manager,
    "others": _others,
    "bind mount": lambda: _must(_libc.mount(b"/", b"/mnt", None, 4096, None)),
    "unmount": lambda: _must(_libc.umount2(os.fsencode(_path), 2)),
    "namespace": lambda: _must(_libc.unshare(0x10000000)),
    "user namespace": _user_namespace,
    "disk": _disk,
    "chroot": lambda: os.chroot("/mnt"),
    "etc": lambda: os.open("/etc/written-by-a-probe", os.O_CREAT | os.O_WRONLY),
    "sysctl": lambda: os.open("/proc/sys/kernel/hostname", os.O_WRONLY),
    "handle": lambda: _must(_libc.open_by_handle_at(-100, bytes(128), 0)),
    "keys": _keys,
}


def main() -> None:
    """Try each door, after the view was written to."""
    with open(f"{_path}/content", "a") as file:
        file.write("changed by the probe\n")
    os.rename(f"{_path}/moved", f"{_path}/moved-by-the-probe")
    for name, door in DOORS.items():
        try:
            door()
        except (OSError, subprocess.CalledProcessError):
            continue
        print("open:", name)
    print("tried", len(DOORS))


if __name__ == "__main__":
    main()
