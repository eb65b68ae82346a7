"""What a probe may ask of the kernel: a set of privileges that never grows, and a filter of system calls.

Standard library alone, and executed beside ``stage.py``. The numbers are those of the kernel's own tables (``unistd.h``); a
processor that stands in none of them is told so, and nothing is run on it unfenced.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

#: What a program that serves needs (capabilities(7)): CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID,
#: NET_BIND_SERVICE. Not DAC_READ_SEARCH, which opens a file by its handle, wherever it stands.
KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 10})
_ALLOWED_FAMILIES = (
    1,
    2,
    10,
    16,
)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: vsock, for one, knows no network namespaces
_NAMESPACES = 0x7E020080  # CLONE_NEW*

_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 22, 24, 38, 47
_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION = 0x20080522
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_OF, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
_X32 = 0x40000000

#: By name of the machine: AUDIT_ARCH_*, then socket, unshare, clone, clone3, io_uring_setup, and what is refused altogether.
_TABLES: dict[str, tuple[int, int, int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        41,
        272,
        56,
        # ptrace syslog pivot_root acct mount umount2 swapon swapoff reboot iopl ioperm init_module delete_module quotactl
        (
            *(101, 103, 155, 163, 165, 166, 167, 168, 169, 172, 173, 175, 176, 179),
            # settimeofday clock_settime kexec_load add_key request_key keyctl perf_event_open
            # fanotify_init open_by_handle_at setns
            *(164, 227, 246, 248, 249, 250, 298, 300, 304, 308),
            # process_vm_readv process_vm_writev finit_module kexec_file_load bpf userfaultfd
            *(310, 311, 313, 320, 321, 323),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        198,
        97,
        220,
        # umount2 mount pivot_root quotactl acct kexec_load init_module delete_module clock_settime syslog ptrace reboot
        (
            *(39, 40, 41, 60, 89, 104, 105, 106, 112, 116, 117, 142),
            # settimeofday add_key request_key keyctl swapon swapoff perf_event_open fanotify_init open_by_handle_at setns
            *(170, 217, 218, 219, 224, 225, 241, 262, 265, 268),
            # process_vm_readv process_vm_writev finit_module bpf userfaultfd kexec_file_load
            *(270, 271, 273, 280, 282, 294),
        ),
    ),
}
#: The same on all processors: open_tree move_mount fsopen fsconfig fsmount fspick pidfd_getfd mount_setattr quotactl_fd
#: open_tree_attr.
_REFUSED_EVERYWHERE = (428, 429, 430, 431, 432, 433, 438, 442, 443, 467)
#: These are said not to be there, so that a program falls back: io_uring (it opens sockets by itself), clone3 (its flags stand
#: in memory, where no filter looks).
_ABSENT = (425, 435)

_libc = ctypes.CDLL(None, use_errno=True)


class WallsMissing(Exception):
    """This processor or kernel cannot fence a probe in; the text says why."""


def raise_walls() -> None:
    """From now on this process and all that it begins have the kept privileges and the filtered system calls, for good."""
    program = filter_of(platform.machine())
    _drop_capabilities()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    code = ctypes.create_string_buffer(program, len(program))
    held = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.cast(ctypes.c_char_p(held), ctypes.c_void_p).value or 0)


def filter_of(machine: str) -> bytes:
    """The filter (seccomp(2), classic BPF) of a processor. Raises ``WallsMissing``."""
    if machine not in _TABLES:
        raise WallsMissing(f"no table of system calls for {machine} is known here, and nothing is run without one")
    architecture, socket_call, unshare, clone, refused = _TABLES[machine]
    refuse = _ERRNO | errno.EPERM
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, refuse),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        lines += [(_GREATER_EQUAL, 0, 1, _X32), (_RETURN, 0, 0, refuse)]
    for number in (*refused, *_REFUSED_EVERYWHERE):
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    for number in _ABSENT:
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for number in (unshare, clone):
        lines += [(_EQUAL, 0, 4, number), (_LOAD, 0, 0, _ARGUMENT), (_ANY_OF, 0, 1, _NAMESPACES)]
        lines += [(_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_EQUAL, 1, 0, socket_call), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _ARGUMENT)]
    for family in _ALLOWED_FAMILIES:
        lines += [(_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    lines.append((_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _drop_capabilities() -> None:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    for capability in range(last + 1):
        if capability not in KEPT_CAPABILITIES:
            _prctl(_PR_CAPBSET_DROP, capability)
    _prctl(_PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL)
    low = sum(1 << one for one in KEPT_CAPABILITIES)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    data = struct.pack("=6I", low, low, 0, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        raise WallsMissing(f"privileges cannot be given up: {os.strerror(ctypes.get_errno())}")


def _prctl(option: int, *arguments: int) -> None:
    four = (*arguments, 0, 0, 0, 0)[:4]
    if _libc.prctl(option, *(ctypes.c_ulong(one) for one in four)) != 0:
        raise WallsMissing(f"prctl {option} is refused: {os.strerror(ctypes.get_errno())}")
