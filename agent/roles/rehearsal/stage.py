"""The stage of a rehearsal: a program that shows a probe the standby at its own path, and lets nothing of what it does get out.

It imports nothing of ours but ``walls.py`` and ``stage_units.py`` beside it, and is executed (``python -I -S -B stage.py
REQUEST``) with all privileges that a view needs, in a transient unit or as a child. In namespaces of its own (mounts, processes,
network, IPC) it builds a root:

- every filesystem of this machine through an overlay without an upper side: what stands there is read, and a socket or a FIFO in
  it is another one than the machine's;
- the standby at its own path through an overlay whose upper side goes with the rehearsal;
- a standby that is a device as a block device at its own path, over a view of it that takes writes, and its filesystem, where it
  has one that this kernel knows, mounted at :data:`MOUNTED`, those of its partitions below that by number;
- ``/run``, ``/tmp``, ``/var/tmp``, ``/dev`` and ``/proc`` of its own; the agent's state and keys are empty directories.

All of it is gone with its last process, which ends with the stage, which ends with who asked. The probe's exit code is ours; what
went wrong before it was run is written beside the request (:data:`FAILED`).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, TypedDict

if TYPE_CHECKING or __package__:
    from agent.roles.rehearsal import stage_units, walls
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import stage_units
    import walls

#: Beside the request: why the probe was not run to its end; nothing where it was.
FAILED = "failed"
ROOT, UPPER, WORK = "root", "upper", "work"
#: Where a probe finds the files of a device; its environment says so (``HIKAE_MOUNT``) where they are there.
MOUNTED = "/run/hikae-standby"
#: Filesystems that are tried on a device, with the options that a copy needs.
_ON_DEVICES = {"ext4": "", "xfs": "nouuid", "btrfs": "", "vfat": ""}
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
_MS_REMOUNT = 32
_MNT_DETACH = 2
_NEW_PROCESSES = 0x20000000
_NEW = 0x00020000 | 0x04000000 | 0x08000000 | 0x40000000  # mounts, names, IPC, network
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
#: Filesystems that hold no files of a disk: they are not shown.
_NOT_SHOWN = frozenset(
    (
        *(
            "proc",
            "sysfs",
            "devtmpfs",
            "devpts",
            "tmpfs",
            "ramfs",
            "cgroup",
            "cgroup2",
            "securityfs",
            "debugfs",
            "tracefs",
        ),
        *(
            "configfs",
            "pstore",
            "bpf",
            "autofs",
            "mqueue",
            "hugetlbfs",
            "efivarfs",
            "fusectl",
            "binfmt_misc",
            "rpc_pipefs",
        ),
        *("nsfs", "selinuxfs"),
    )
)
#: Directories of its own, with MiB.
_OWN = {"/run": 64, "/tmp": 256, "/var/tmp": 256}  # noqa: S108
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
_LOOK = 0.5
#: The kernel refused the view, and not the probe.
EXIT_FAILED = 125

_libc = ctypes.CDLL(None, use_errno=True)


class StageRequest(TypedDict):
    """``path``: the standby's; ``device``: the node of the block device that shows it, "" for a tree; ``parts``: of each of its
    partitions, with its number; ``place``: a directory of
    our own, which goes afterwards; ``units``: whose programs are begun before ``words`` are run; ``hidden``: what a probe must
    not read; ``reserve``: bytes that stay free where ``place`` lies."""

    path: str
    device: str
    parts: list[tuple[int, str]]
    place: str
    hidden: list[str]
    units: list[stage_units.UnitRequest]
    words: list[str]
    environment: dict[str, str]
    umask: int
    reserve: int


class StageError(Exception):
    """The view could not be made; the text is for the operator."""


def play(request: StageRequest) -> int:
    """Run the probe on the stage; its exit code, 128 and the signal's number where one ended it."""
    _prctl_death()
    _unshare(_NEW_PROCESSES)
    told, tells = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(told)
        _first(request, tells)
    os.close(tells)
    with os.fdopen(told, "rb") as pipe:
        reason = pipe.read()
    if reason:
        os.waitpid(first, 0)
        raise StageError(reason.decode(errors="replace"))
    return _watched(first, request)


def _watched(first: int, request: StageRequest) -> int:
    """Wait for the end of the first process, with whom all others end; end it when the disk gets full."""
    while True:
        found, status = os.waitpid(first, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        room = os.statvfs(request["place"])
        if room.f_bavail * room.f_frsize < request["reserve"]:
            os.kill(first, signal.SIGKILL)
            os.waitpid(first, 0)
            raise StageError("what it wrote filled the disk of the state directory to its reserve, and it was ended")
        time.sleep(_LOOK)


def _first(request: StageRequest, tells: int) -> NoReturn:
    """The first process of the stage: build, fence in, run the probe, and bury what it leaves."""
    try:
        _prctl_death()
        os.setsid()
        _unshare(_NEW)
        _build(request)
        _loopback_up()
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        walls.raise_walls()
        probe = _begun(request)
    except (OSError, StageError, walls.WallsMissing) as error:
        os.write(tells, str(error).encode())
        os._exit(EXIT_FAILED)
    os.close(tells)
    while True:
        found, status = os.wait()
        if found == probe:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _begun(request: StageRequest) -> int:
    """The probe, as a process of its own."""
    os.umask(request["umask"])
    os.chdir("/")
    words, environment = request["words"], request["environment"]
    os.environ["PATH"] = environment.get("PATH", os.defpath)
    if request["units"]:
        tries = os.fork()
        if tries == 0:
            os.setsid()
            os._exit(stage_units.try_units(request["units"], words, environment))
        return tries
    try:
        return os.posix_spawnp(words[0], words, environment, setsid=True)
    except OSError as error:
        raise StageError(f"the probe {words[0]} cannot be run: {error.strerror}") from error


def _build(request: StageRequest) -> None:
    place = request["place"]
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    shown = _shown_mounts()
    lowers = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in shown if os.path.isdir(path)}
    standby = os.open(request["device"] or request["path"], os.O_PATH)
    root, empty = _scaffold(f"{place}/{ROOT}")
    sides = [os.open(f"{place}/{side}", os.O_PATH | os.O_DIRECTORY) for side in (UPPER, WORK)]
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES if os.path.exists(f"/dev/{name}")}
    _read_only(lowers["/"], empty, root)
    for path, size in _OWN.items():
        if os.path.isdir(root + path) and not os.path.islink(root + path):
            _mount("tmpfs", root + path, "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode=1777,size={size}m")
    for path, lower in lowers.items():
        if path != "/" and _has_place(root + path):
            _read_only(lower, empty, root + path)
    _special(root, devices)
    for path in request["hidden"]:
        if os.path.isdir(root + path):
            _mount("tmpfs", root + path, "tmpfs", _MS_RDONLY | _MS_NOSUID | _MS_NODEV, "mode=0755,size=4k")
    if request["device"]:
        _show_device(request, standby, root)
    elif _has_place(root + request["path"]):
        _writable(standby, sides, root + request["path"])
    else:
        raise StageError(f"{request['path']} has no place in the view")
    _enter(root)


def _show_device(request: StageRequest, node: int, root: str) -> None:
    """The device at its own path, and its filesystem, or those of its partitions. What is none is the probe's to read."""
    target = root + request["path"]
    with suppress(OSError):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
    _mount(f"/proc/self/fd/{node}", target, None, _MS_BIND)
    os.mkdir(root + MOUNTED, 0o755)
    parts = [(f"{MOUNTED}/{number}", part) for number, part in request["parts"]] or [(MOUNTED, request["device"])]
    shown = [_show_filesystem(part, root + where) for where, part in parts]
    if any(shown):
        request["environment"]["HIKAE_MOUNT"] = MOUNTED


def _show_filesystem(node: str, where: str) -> bool:
    """Whether a device has a filesystem that this kernel knows; it is mounted then."""
    os.makedirs(where, 0o755, exist_ok=True)
    for kind, options in _ON_DEVICES.items():
        with suppress(StageError):
            _mount(node, where, kind, _MS_NOSUID | _MS_NODEV, options)
            return True
    return False


def _scaffold(place: str) -> tuple[str, int]:
    """Where the view is built, and an empty directory: a lower side alone must be two, of which none holds the other."""
    _mount("tmpfs", place, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0700,size=1m")
    for name in ("view", "empty"):
        os.mkdir(f"{place}/{name}")
    return f"{place}/view", os.open(f"{place}/empty", os.O_PATH | os.O_DIRECTORY)


def _enter(root: str) -> None:
    """From here on there is no other root."""
    os.chdir(root)
    if _libc.pivot_root(b".", b".") != 0:
        raise _refused("enter the view", root)
    if _libc.umount2(b".", _MNT_DETACH) != 0:
        raise _refused("leave the old root", root)
    os.chdir("/")
    kept = {0, 1, 2}
    for name in os.listdir("/proc/self/fd"):
        # The way to who waits is the only pipe among them.
        if int(name) not in kept and not _is_pipe(int(name)):
            with suppress(OSError):
                os.close(int(name))


def _is_pipe(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")
    except OSError:
        return False


def _special(root: str, devices: dict[str, int]) -> None:
    """``/proc``, ``/sys`` and ``/dev`` as a program expects them, and nothing in them that changes the machine."""
    fixed = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _mount("proc", f"{root}/proc", "proc", fixed | _MS_RDONLY)
    with suppress(StageError):
        _mount("sysfs", f"{root}/sys", "sysfs", fixed | _MS_RDONLY)
    dev = f"{root}/dev"
    _mount("tmpfs", dev, "tmpfs", _MS_NOSUID | _MS_NOEXEC, "mode=0755,size=1m")
    for name, fd in devices.items():
        os.close(os.open(f"{dev}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        _mount(f"/proc/self/fd/{fd}", f"{dev}/{name}", None, _MS_BIND)
    for name in ("pts", "shm"):
        os.mkdir(f"{dev}/{name}")
    _mount("devpts", f"{dev}/pts", "devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    _mount("tmpfs", f"{dev}/shm", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777,size=256m")
    for name, target in _LINKS.items():
        os.symlink(target, f"{dev}/{name}")


def _shown_mounts() -> list[str]:
    """Mount points of filesystems with files of a disk, outer ones first; ``/`` among them whatever it is."""
    found = {"/": None}
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            head, _, tail = line.partition(b" - ")
            kind = tail.split()[0].decode()
            path = os.fsdecode(head.split()[4].decode("unicode_escape").encode("latin-1"))
            if kind not in _NOT_SHOWN and not kind.startswith("fuse"):
                found[path] = None
    return sorted(found, key=lambda path: path.count("/") if path != "/" else 0)


def _has_place(path: str) -> bool:
    """Whether a directory stands there, made where it may be."""
    with suppress(OSError):
        os.makedirs(path, exist_ok=True)
    return os.path.isdir(path)


def _read_only(lower: int, empty: int, target: str) -> None:
    options = f"lowerdir=/proc/self/fd/{lower}:/proc/self/fd/{empty}"
    _mount("overlay", target, "overlay", _MS_RDONLY | _MS_NOSUID | _MS_NODEV, options)


def _writable(lower: int, sides: list[int], target: str) -> None:
    """What is written goes to the upper side. With an index, names of one file stay one file also when it is written to."""
    upper, work = sides
    options = f"lowerdir=/proc/self/fd/{lower},upperdir=/proc/self/fd/{upper},workdir=/proc/self/fd/{work}"
    try:
        _mount("overlay", target, "overlay", _MS_NOSUID | _MS_NODEV, f"{options},index=on,redirect_dir=on")
    except StageError:
        _mount("overlay", target, "overlay", _MS_NOSUID | _MS_NODEV, options)


def _loopback_up() -> None:
    """In a container that may not do so it is said among the probe's words, and the probe runs without."""
    try:
        _raise_loopback()
    except OSError as error:
        reason = f"hikae: 127.0.0.1 cannot be reached on this stage ({error.strerror}: CAP_NET_ADMIN)\n"
        os.write(2, reason.encode())


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        name = b"lo".ljust(16, b"\0")
        found = fcntl.ioctl(asks, _SIOCGIFFLAGS, name + bytes(24))
        flags = struct.unpack_from("H", found, 16)[0] | _IFF_UP
        fcntl.ioctl(asks, _SIOCSIFFLAGS, name + struct.pack("H", flags) + bytes(22))


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Raises ``StageError``."""
    given = (os.fsencode(source), os.fsencode(target), kind.encode() if kind else None, flags, os.fsencode(options))
    if _libc.mount(given[0], given[1], given[2], ctypes.c_ulong(given[3]), given[4]) != 0:
        raise _refused(f"mount {kind or 'a view'}", target)


def _refused(what: str, target: str) -> StageError:
    return StageError(f"cannot {what} at {target}: {os.strerror(ctypes.get_errno())}")


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        raise StageError(f"namespaces of its own are refused: {os.strerror(ctypes.get_errno())}")


def _prctl_death() -> None:
    """The end of our parent is ours."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _told(path: str) -> int:
    with open(path) as file:
        request: StageRequest = json.load(file)
    try:
        return play(request)
    except (OSError, StageError) as error:
        with open(os.path.join(os.path.dirname(path), FAILED), "w") as file:
            file.write(str(error))
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(_told(sys.argv[1]))
