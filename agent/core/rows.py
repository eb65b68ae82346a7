"""Rows: objects (what a filesystem calls inodes) and names (directory entries) as canonical bytes.

These bytes are what is hashed, sent and stored. Decoding and encoding again gives the same bytes, or the row is
refused. All integers are big-endian; the head is of fixed width (docs/decisions/0001), the tail as long as it must be::

    object   02 'o'  id u64  mode u32  uid u32  gid u32  mtime i64 + u32  flags u32  size u64  rdev u64
             xattr count u16, each: name length u16, name, value length u32, value    (sorted by name)
             content: chunk list of a regular file; target of a symlink; else empty
    name     02 'n'  parent u64  object u64  name bytes

``mode`` is the whole ``st_mode`` with the file type; ``mtime`` seconds and ns, which is what filesystems hold (in values of ours
ns, of any size); ``flags`` FS_IMMUTABLE_FL | FS_APPEND_FL; ``size`` that of a regular file, else 0; ``rdev`` of a device node,
else 0. A row's key is its tag and id, or tag, parent and name.

A change is ``put`` (a row; replaces the live row of its key) or ``drop`` (a key). A commit holds each key at most once.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import NamedTuple, TypeAlias

from agent.core import chunks
from agent.core.errors import WireError
from agent.core.ids import ROOT, ObjectId

VERSION = 2
OBJECT_TAG, NAME_TAG = 0x6F, 0x6E

FLAG_IMMUTABLE = 0x10
FLAG_APPEND = 0x20
FLAGS_KEPT = FLAG_IMMUTABLE | FLAG_APPEND

NAME_MAX = 255
SYMLINK_MAX = 4095
XATTR_NAME_MAX = 255
XATTR_VALUE_MAX = 65536
#: ns in a second.
SECOND = 1_000_000_000
XATTRS_MAX = 0xFFFF
#: Bytes of a whole row: what travels at once, and what a node has in memory of one (law 9). ``stream.messages`` builds on it.
ROW_MAX = (4 << 20) - 5
SIZE_MAX = (1 << 63) - 1
#: In the root only: never captured, never a name of a row.
PRIVATE_DIR = b".hikae"

_OBJECT = struct.Struct(">BBQIIIqIIQQH")
#: Where the size stands in it.
SIZE_AT = struct.calcsize(">BBQIIIqII")
#: The same with the kind and length of a single chunk behind it, whose name follows.
_PLAIN_FILE = struct.Struct(">BBQIIIqIIQQHBI")
_PLAIN = _PLAIN_FILE.size + chunks.NAME_SIZE
_NAME = struct.Struct(">BBQQ")
#: No user and no group: the kernel's "not to be changed".
NOBODY = (1 << 32) - 1
#: Of a device number, see MAJOR and MINOR in the kernel's kdev_t.h.
_MAJOR_MAX, _MINOR_MAX = (1 << 12) - 1, (1 << 20) - 1
_KEY = struct.Struct(">BQ")
_ID = struct.Struct(">Q")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")

Xattrs: TypeAlias = tuple[tuple[bytes, bytes], ...]


# Tuples, not dataclasses: two are made for every file on each side, and a frozen dataclass of ten fields costs 2 µs.
class ObjectRow(NamedTuple):
    """An object with its metadata and content. ``content``: see the module."""

    id: ObjectId
    mode: int
    uid: int
    gid: int
    mtime: int
    flags: int = 0
    size: int = 0
    rdev: int = 0
    xattrs: Xattrs = ()
    content: bytes = b""

    @property
    def kind(self) -> int:
        """The file type: ``stat.S_IFREG`` and so on."""
        return stat.S_IFMT(self.mode)


class NameRow(NamedTuple):
    """A directory entry: in ``parent``, ``name`` stands for ``object``."""

    parent: ObjectId
    name: bytes
    object: ObjectId


def encode_object(row: ObjectRow) -> bytes:
    """The canonical bytes of an object. ``xattrs`` must be sorted by name."""
    head = _OBJECT.pack(
        VERSION,
        OBJECT_TAG,
        row.id,
        row.mode,
        row.uid,
        row.gid,
        *divmod(row.mtime, SECOND),
        row.flags,
        row.size,
        row.rdev,
        len(row.xattrs),
    )
    if not row.xattrs:
        return head + row.content
    parts = [head]
    for name, value in row.xattrs:
        parts += (_U16.pack(len(name)), name, _U32.pack(len(value)), value)
    parts.append(row.content)
    return b"".join(parts)


class Unfit(OSError):
    """What stands there cannot be a row, or not one that could be sent. ``strerror`` says why, in the words of a sentence that
    begins with "it cannot be replicated"."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EOVERFLOW, why)


def require_fit(row: ObjectRow) -> None:
    """What :func:`check_row` and the stream ask of a row, before it is one: raises ``Unfit``."""
    if not row.xattrs and len(row.content) <= SYMLINK_MAX:
        if row.size > SIZE_MAX:
            raise Unfit(f"its size of {row.size:,} bytes is beyond what is kept")
        return
    if len(row.xattrs) > XATTRS_MAX:
        raise Unfit(f"it has {len(row.xattrs):,} extended attributes, and at most {XATTRS_MAX:,} are kept")
    size = _OBJECT.size + len(row.content) + sum(6 + len(name) + len(value) for name, value in row.xattrs)
    if size > ROW_MAX:
        what = "its extended attributes are" if row.xattrs else "its description is"
        raise Unfit(f"{what} {size:,} bytes, and at most {ROW_MAX:,} can be sent")
    if row.size > SIZE_MAX or (row.kind == stat.S_IFLNK and len(row.content) > SYMLINK_MAX):
        raise Unfit("its size is beyond what is kept")
    try:
        _check_xattrs(row.xattrs)
    except WireError as error:
        raise Unfit("one of its extended attributes is larger than what is kept") from error


def encode_captured(row: ObjectRow) -> bytes:
    """:func:`encode_object` of what stands in a tree; raises ``Unfit``."""
    require_fit(row)
    return encode_object(row)


def encode_plain_file(
    id: int, mode: int, uid: int, gid: int, mtime: int, flags: int, size: int, content: bytes
) -> bytes:
    """:func:`encode_object` of a regular file without extended attributes: most of what there is."""
    return _OBJECT.pack(VERSION, OBJECT_TAG, id, mode, uid, gid, *divmod(mtime, SECOND), flags, size, 0, 0) + content


def encode_name(parent: int, name: bytes, object_id: int) -> bytes:
    """The canonical bytes of a name."""
    return _NAME.pack(VERSION, NAME_TAG, parent, object_id) + name


def object_key(object_id: int) -> bytes:
    """The key of an object's row."""
    return _KEY.pack(OBJECT_TAG, object_id)


def name_key(parent: int, name: bytes) -> bytes:
    """The key of a name's row."""
    return _KEY.pack(NAME_TAG, parent) + name


def is_object(row: bytes) -> bool:
    """Whether these row bytes are an object's (else a name's)."""
    return row[1] == OBJECT_TAG


def key_is_object(key: bytes) -> bool:
    """Whether this key is an object's (else a name's)."""
    return key[0] == OBJECT_TAG


def key_of(row: bytes) -> bytes:
    """The key of a row."""
    if row[1] == OBJECT_TAG:
        return row[1:10]
    return row[1:10] + row[18:]


def size_of(row: bytes) -> int:
    """The file size in a row: 0 where it is none of a regular file."""
    return int.from_bytes(row[SIZE_AT : SIZE_AT + 8], "big") if row[1] == OBJECT_TAG else 0


def object_id_of_key(key: bytes) -> ObjectId:
    """The object id in an object's key."""
    return ObjectId(_ID.unpack_from(key, 1)[0])


def parent_and_name_of_key(key: bytes) -> tuple[ObjectId, bytes]:
    """Parent and name in a name's key."""
    return ObjectId(_ID.unpack_from(key, 1)[0]), key[9:]


def object_id_of_name(row: bytes) -> ObjectId:
    """The object that a name's row bytes stand for."""
    return ObjectId(_ID.unpack_from(row, 10)[0])


def decode_object(row: bytes) -> ObjectRow:
    """The object in these bytes. Believes well-formed bytes only; see :func:`check_row` for what is legal.

    Raises ``WireError`` for bytes that :func:`encode_object` would not have written."""
    try:
        version, tag, oid, mode, uid, gid, seconds, ns, flags, size, rdev, count = _OBJECT.unpack_from(row)
        at = _OBJECT.size
        xattrs: list[tuple[bytes, bytes]] = []
        for _ in range(count):
            (length,) = _U16.unpack_from(row, at)
            name = row[at + 2 : at + 2 + length]
            at += 2 + length
            (length,) = _U32.unpack_from(row, at)
            value = row[at + 4 : at + 4 + length]
            at += 4 + length
            xattrs.append((name, value))
    except struct.error as error:
        raise _bad("an object that is cut short") from error
    if version != VERSION or tag != OBJECT_TAG or at > len(row):
        raise _bad("bytes that are no object")
    mtime = seconds * SECOND + ns
    return ObjectRow(ObjectId(oid), mode, uid, gid, mtime, flags, size, rdev, tuple(xattrs), row[at:])


def decode_name(row: bytes) -> NameRow:
    """The name in these bytes. Raises ``WireError``."""
    if len(row) <= _NAME.size:
        raise _bad("a name that is cut short")
    version, tag, parent, oid = _NAME.unpack_from(row)
    if version != VERSION or tag != NAME_TAG:
        raise _bad("bytes that are no name")
    return NameRow(ObjectId(parent), row[_NAME.size :], ObjectId(oid))


def check_row(row: bytes) -> ObjectRow | NameRow:
    """Decode a row that came from another node and refuse what no honest capture would send (law 6).

    Raises ``WireError`` with what is wrong."""
    if len(row) < 2:
        raise _bad("an empty row")
    if len(row) == _PLAIN:
        plain = _plain_file(row)
        if plain is not None:
            return plain
    if row[1] == NAME_TAG:
        name_row = decode_name(row)
        check_name(name_row.parent, name_row.name)
        if name_row.object == ROOT:
            raise _bad("a name for the root")
        return name_row
    decoded = decode_object(row)
    _check_object(decoded)
    if encode_object(decoded) != row:
        raise _bad("an object in another than its canonical form")
    return decoded


def _plain_file(row: bytes) -> ObjectRow | None:
    """A regular file of one chunk and without extended attributes, if these bytes are one and all is legal; it has no other
    form than this. None says nothing: look closely."""
    head = _PLAIN_FILE.unpack_from(row)
    version, tag, id, mode, uid, gid, seconds, ns, flags, size, rdev, count, kind, length = head
    if (
        version != VERSION
        or tag != OBJECT_TAG
        or kind != chunks.DATA
        or length != size
        or not 0 < size <= chunks.MAX_CHUNK
        or id <= ROOT
        or mode >> 12 != stat.S_IFREG >> 12
        or flags & ~FLAGS_KEPT
        or ns >= SECOND
        or uid == NOBODY
        or gid == NOBODY
        or rdev
        or count
    ):
        return None
    return ObjectRow(id, mode, uid, gid, seconds * SECOND + ns, flags, size, 0, (), row[_OBJECT.size :])


def check_key(key: bytes) -> None:
    """Refuse a malformed key in a drop, or one that names the root object."""
    if len(key) < 9 or key[0] not in (OBJECT_TAG, NAME_TAG):
        raise _bad("a key that is cut short")
    if key[0] == OBJECT_TAG:
        if len(key) != 9 or object_id_of_key(key) == ROOT:
            raise _bad("a drop of the root, or a malformed key")
    else:
        check_name(*parent_and_name_of_key(key))


def check_name(parent: int, name: bytes) -> None:
    """Refuse a directory entry that would leave the dataset or enter our own directory."""
    if not name or len(name) > NAME_MAX or name in (b".", b"..") or b"/" in name or b"\0" in name:
        raise _bad(f"the name {name[:40]!r}")
    if parent == ROOT and name == PRIVATE_DIR:
        raise _bad("a name inside our own directory")


def _check_object(row: ObjectRow) -> None:
    kind = row.kind
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK):
        raise _bad(f"an object of type {kind:o}")
    if row.id == ROOT and kind != stat.S_IFDIR:
        raise _bad("a root that is no directory")
    if row.mode > 0o177777 or row.flags & ~FLAGS_KEPT or not row.id:
        raise _bad("impossible metadata")
    if NOBODY in (row.uid, row.gid):
        raise _bad(f"the owner {NOBODY}, which is none: to chown it means to leave the owner as it is")
    if row.rdev:
        _check_device(kind, row.rdev)
    _check_xattrs(row.xattrs)
    if kind == stat.S_IFREG:
        if row.size >= 1 << 63 or chunks.length_of(row.content) != row.size:
            raise _bad("a chunk list of another length than the file")
    elif row.size:
        raise _bad("a size without a file")
    elif kind == stat.S_IFLNK:
        if not 0 < len(row.content) <= SYMLINK_MAX or b"\0" in row.content:
            raise _bad("an impossible symlink target")
    elif row.content:
        raise _bad("content without a file")


def _check_device(kind: int, rdev: int) -> None:
    if kind not in (stat.S_IFCHR, stat.S_IFBLK):
        raise _bad("a device number without a device")
    if os.major(rdev) > _MAJOR_MAX or os.minor(rdev) > _MINOR_MAX:
        raise _bad("a device number that no kernel has")


def _check_xattrs(xattrs: Xattrs) -> None:
    last = b""
    for name, value in xattrs:
        if not 0 < len(name) <= XATTR_NAME_MAX or b"\0" in name or len(value) > XATTR_VALUE_MAX:
            raise _bad("an impossible extended attribute")
        if name <= last:
            raise _bad("extended attributes out of order")
        last = name


def _bad(what: str) -> WireError:
    return WireError("read a row", "", f"it holds {what}", "the sender is faulty or hostile; nothing was stored")
