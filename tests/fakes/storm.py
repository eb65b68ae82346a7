"""A seeded storm of file operations: everything that a program, a user or an installer does to a tree."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import random
import stat
import struct
from collections.abc import Callable

_LIBC = ctypes.CDLL(None, use_errno=True)
_EXCHANGE = 2
_PUNCH = 3
_AT_FDCWD = -100
#: Ours, in a root that is watched by inotify: nobody else has any business there.
PRIVATE = b".hikae"
_ODD_NAMES = (b"new\nline", b"caf\xe9", b"\xff\xfe", b" ", b"-rf", b"a\tb", "控え".encode(), b"x" * 200)


class Storm:
    """Random operations on ``root``. The same seed makes the same choices as long as the tree answers the same."""

    def __init__(self, root: str, seed: int, limit: int = 400) -> None:
        self.root = os.fsencode(root)
        self.random = random.Random(seed)
        self.limit = limit
        self.done: dict[str, int] = {}
        self._count = 0
        self._dirs: list[bytes] = [self.root]
        self._files: list[bytes] = []
        self._ops: list[tuple[int, Callable[[], None]]] = [
            (34, self.create),
            (10, self.write),
            (8, self.append),
            (5, self.insert),
            (4, self.truncate),
            (3, self.punch),
            (4, self.mmap_store),
            (3, self.rename_over),
            (5, self.rename),
            (3, self.swap_names),
            (3, self.rename_directory),
            (2, self.swap_directories),
            (4, self.link),
            (4, self.symlink),
            (5, self.chmod),
            (4, self.chown),
            (4, self.xattr),
            (2, self.acl),
            (5, self.delete),
            (1, self.delete_tree),
            (2, self.replace_type),
            (3, self.write_keeping_mtime),
            (7, self.mkdir),
            (1, self.special),
            (2, self.utime),
        ]

    def run(self, count: int) -> None:
        """``count`` operations."""
        weights = [weight for weight, _ in self._ops]
        for number in range(count):
            if number % 50 == 0:
                self._look()
            op = self.random.choices(self._ops, weights)[0][1]
            try:
                op()
            except OSError as error:
                expected = (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.EINVAL)
                if error.errno not in (*expected, errno.ELOOP, errno.EMLINK, errno.EBUSY, errno.ENAMETOOLONG):
                    raise
            else:
                self.done[op.__name__] = self.done.get(op.__name__, 0) + 1

    def _look(self) -> None:
        self._dirs, self._files = [self.root], []
        for top, dirs, files in os.walk(self.root):
            if top == self.root and PRIVATE in dirs:
                dirs.remove(PRIVATE)
            self._dirs += [os.path.join(top, name) for name in dirs if not os.path.islink(os.path.join(top, name))]
            self._files += [os.path.join(top, name) for name in files]

    def _fresh(self) -> bytes:
        self._count += 1
        if self.random.random() < 0.1:
            return self.random.choice(_ODD_NAMES) + b"%d" % self.random.randrange(4)
        return b"n%d" % self.random.randrange(300)

    def _dir(self) -> bytes:
        return self.random.choice(self._dirs)

    def _file(self) -> bytes:
        """Some file (or other non-directory) that was there at the last look."""
        if not self._files:
            raise FileNotFoundError(errno.ENOENT, "no file yet")
        return self.random.choice(self._files)

    def _regular(self) -> bytes:
        path = self._file()
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise FileNotFoundError(errno.ENOENT, "not regular")
        return path

    def _bytes(self) -> bytes:
        size = self.random.choice([0, 1, 100, 4096, 5000, 20_000, 70_000, 200_000, 600_000])
        if self.random.random() < 0.5:
            return self.random.randbytes(size)
        return (b"line %d\n" % self.random.randrange(1000)) * (size // 8)

    def create(self) -> None:
        if len(self._files) > self.limit:
            os.unlink(self._file())
        path = os.path.join(self._dir(), self._fresh())
        with open(path, "xb") as file:
            file.write(self._bytes())
        self._files.append(path)

    def write(self) -> None:
        path = self._regular()
        with open(path, "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(self.random.randrange(size + 1))
            file.write(self._bytes()[:50_000])

    def append(self) -> None:
        with open(self._regular(), "ab") as file:
            file.write(self._bytes()[:8192])

    def insert(self) -> None:
        path = self._regular()
        with open(path, "r+b") as file:
            data = file.read()
            at = self.random.randrange(len(data) + 1)
            file.seek(at)
            file.write(self.random.randbytes(self.random.randrange(1, 300)) + data[at:])

    def truncate(self) -> None:
        path = self._regular()
        os.truncate(path, self.random.randrange(os.lstat(path).st_size + 50_000))

    def punch(self) -> None:
        path = self._regular()
        size = os.lstat(path).st_size
        with open(path, "r+b") as file:
            start = self.random.randrange(size + 1) & ~4095
            length = self.random.choice([4096, 65_536, 131_072])
            _LIBC.fallocate(file.fileno(), _PUNCH, ctypes.c_long(start), ctypes.c_long(length))

    def mmap_store(self) -> None:
        path = self._regular()
        size = os.lstat(path).st_size
        if size == 0:
            raise FileNotFoundError(errno.ENOENT, "empty")
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), size) as view:
            at = self.random.randrange(size)
            view[at] = (view[at] + 1) % 256

    def rename_over(self) -> None:
        os.rename(self._file(), self._file())

    def rename(self) -> None:
        old = self._file()
        new = os.path.join(self._dir(), self._fresh())
        os.rename(old, new)
        self._files.append(new)

    def swap_names(self) -> None:
        self._exchange(self._file(), self._file())

    def rename_directory(self) -> None:
        os.rename(self._dir(), os.path.join(self._dir(), self._fresh()))
        self._look()

    def swap_directories(self) -> None:
        self._exchange(self._dir(), self._dir())
        self._look()

    def link(self) -> None:
        new = os.path.join(self._dir(), self._fresh())
        old = self._file()
        if stat.S_ISDIR(os.lstat(old).st_mode):
            raise IsADirectoryError(errno.EISDIR, "directories have one name")
        os.link(old, new, follow_symlinks=False)
        self._files.append(new)

    def symlink(self) -> None:
        target = self.random.choice([b"nowhere", b"..", b"/etc/passwd", b"loop", self._fresh()])
        os.symlink(target, os.path.join(self._dir(), self._fresh()))

    def chmod(self) -> None:
        path = self.random.choice([self._file, self._dir])()
        if path != self.root and not stat.S_ISLNK(os.lstat(path).st_mode):
            os.chmod(path, self.random.choice([0o644, 0o600, 0o755, 0o700, 0o4755, 0o2775, 0o1777, 0o444]))

    def chown(self) -> None:
        if os.geteuid() == 0:
            os.lchown(self._file(), self.random.randrange(5), self.random.randrange(5))

    def xattr(self) -> None:
        path = self._regular()
        key = f"user.k{self.random.randrange(3)}"
        if self.random.random() < 0.3:
            present = os.listxattr(path)
            if key in present:
                os.removexattr(path, key)
        else:
            os.setxattr(path, key, self.random.randbytes(self.random.randrange(40)))

    def acl(self) -> None:
        """A POSIX ACL: user::rw-, user:<n>:r--, group::r--, mask::rw-, other::r--."""
        entries = [
            (1, 6, 0xFFFFFFFF),
            (2, 4, self.random.randrange(1, 9)),
            (4, 4, 0xFFFFFFFF),
            (16, 6, 0xFFFFFFFF),
            (32, 4, 0xFFFFFFFF),
        ]
        data = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
        os.setxattr(self._regular(), "system.posix_acl_access", data)

    def delete(self) -> None:
        os.unlink(self._file())

    def delete_tree(self) -> None:
        top = self._dir()
        if top == self.root or self.random.random() < 0.5:
            return
        for path, dirs, files in os.walk(top, topdown=False):
            for name in files:
                os.unlink(os.path.join(path, name))
            for name in dirs:
                below = os.path.join(path, name)
                os.unlink(below) if os.path.islink(below) else os.rmdir(below)
        os.rmdir(top)
        self._look()

    def replace_type(self) -> None:
        path = self._file()
        os.unlink(path)
        if self.random.random() < 0.5:
            os.mkdir(path)
            with open(os.path.join(path, b"inner"), "wb") as file:
                file.write(b"inner")
        else:
            os.symlink(b"replaced", path)

    def write_keeping_mtime(self) -> None:
        path = self._regular()
        before = os.lstat(path)
        with open(path, "r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes([(first[0] + 1) % 256]) if first else b"")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def mkdir(self) -> None:
        if len(self._dirs) > self.limit // 4:
            return
        path = os.path.join(self._dir(), self._fresh())
        os.makedirs(os.path.join(path, b"below"))
        self._dirs += [path, os.path.join(path, b"below")]
        with open(os.path.join(path, b"below", b"first"), "wb") as file:
            file.write(b"first")

    def special(self) -> None:
        path = os.path.join(self._dir(), self._fresh())
        if os.geteuid() == 0 and self.random.random() < 0.5:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        else:
            os.mkfifo(path)

    def utime(self) -> None:
        moment = self.random.randrange(1, 2_000_000_000_000_000_000)
        os.utime(self._file(), ns=(moment, moment), follow_symlinks=False)

    def _exchange(self, one: bytes, other: bytes) -> None:
        if _LIBC.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _EXCHANGE) != 0:
            raise OSError(ctypes.get_errno(), "exchange")


class SystemCallStorm(Storm):
    """Without stores to mapped memory, which raise no event."""

    def mmap_store(self) -> None:
        """Left out."""
        raise FileNotFoundError(errno.ENOENT, "left out")
