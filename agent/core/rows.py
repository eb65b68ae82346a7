"""Rows: objects (what a filesystem calls inodes), names (directory entries) and chunks of a device, as canonical bytes.

These bytes are what is hashed, sent and stored. Decoding and encoding again gives the same bytes, or the row is
refused. All integers are big-endian; the head is of fixed width (docs/decisions/0001), the tail as long as it must be::

    object   02 'o'  id u64  mode u32  uid u32  gid u32  mtime i64 + u32  flags u32  size u64  rdev u64
             xattr count u16, each: name length u16, name, value length u32, value    (sorted by name)
             content: chunk list of a regular file; target of a symlink; else empty
    name     02 'n'  parent u64  object u64  name bytes
    chunk    02 'c'  number u64  length u32  name 32

``mode`` is the whole ``st_mode`` with the file type; ``mtime`` seconds and ns, which is what filesystems hold (in values of ours
ns, of any size); ``flags`` FS_IMMUTABLE_FL | FS_APPEND_FL; ``size`` that of a regular file, else 0; ``rdev`` of a device node,
else 0. A row's key is its tag and id, or tag, parent and name, or tag and number.

A tree has objects and names, a device chunks (docs/decisions/0057): ``number`` counts them from 1, each is ``DEVICE_CHUNK`` bytes
long, and one of zeros has no row. The last is as long as the device goes on, and has its row whatever it holds, so that the rows
tell where the device ends.

A change is ``put`` (a row; replaces the live row of its key) or ``drop`` (a key). A commit holds each key at most once.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from agent.core import chunks
from agent.core.errors import WireError
from agent.core.ids import ChunkNumber, ObjectId

VERSION = 2
OBJECT_TAG, NAME_TAG, CHUNK_TAG = 0x6F, 0x6E, 0x63

FLAG_IMMUTABLE = 0x10
FLAG_APPEND = 0x20
FLAGS_KEPT = FLAG_IMMUTABLE | FLAG_APPEND

#: ns in a second.
SECOND = 1_000_000_000
#: In the root only: never captured, never a name of a row.
PRIVATE_DIR = b".hikae"

_OBJECT = struct.Struct(">BBQIIIqIIQQH")
#: The same with the kind and length of a single chunk behind it, whose name follows.
_PLAIN_FILE = struct.Struct(">BBQIIIqIIQQHBI")
#: Bytes of an object before its attributes and content, and of a file of one chunk without attributes.
OBJECT_HEAD_SIZE = _OBJECT.size
PLAIN_FILE_SIZE = _PLAIN_FILE.size + chunks.NAME_SIZE
_NAME = struct.Struct(">BBQQ")
_CHUNK = struct.Struct(">BBQI32s")
CHUNK_ROW_SIZE = _CHUNK.size
_KEY = struct.Struct(">BQ")
_OBJECT_BYTE, _CHUNK_BYTE = bytes([OBJECT_TAG]), bytes([CHUNK_TAG])
_ID = struct.Struct(">Q")
_FIRST = struct.Struct(">2xQ")
_MODE = struct.Struct(">10xI")
#: Of an object that has a mode: whether it has extended attributes.
_XATTR_COUNT = struct.Struct(f">10xI{OBJECT_HEAD_SIZE - 16}xH")
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


class ChunkRow(NamedTuple):
    """A chunk of a device: ``length`` bytes, see the module; ``name``: of what they hold."""

    number: ChunkNumber
    length: int
    name: bytes

    @property
    def id(self) -> ObjectId:
        """By what a chunk is asked for, told as absent and owed where a tree says the object: its number."""
        return ObjectId(self.number)

    @property
    def content(self) -> bytes:
        """A list of this one chunk."""
        return chunks.encode_one(self.length, self.name)

    @property
    def offset(self) -> int:
        """Where it begins in the device, in bytes."""
        return (self.number - 1) * chunks.DEVICE_CHUNK

    @property
    def end(self) -> int:
        """Where it ends in the device, in bytes."""
        return self.offset + self.length


Row: TypeAlias = ObjectRow | NameRow | ChunkRow


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


def encode_plain_file(
    id: int, mode: int, uid: int, gid: int, mtime: int, flags: int, size: int, content: bytes
) -> bytes:
    """:func:`encode_object` of a regular file without extended attributes: most of what there is."""
    return _OBJECT.pack(VERSION, OBJECT_TAG, id, mode, uid, gid, *divmod(mtime, SECOND), flags, size, 0, 0) + content


def encode_name(parent: int, name: bytes, object_id: int) -> bytes:
    """The canonical bytes of a name."""
    return _NAME.pack(VERSION, NAME_TAG, parent, object_id) + name


def encode_chunk(number: int, length: int, name: bytes) -> bytes:
    """The canonical bytes of a device's chunk."""
    return _CHUNK.pack(VERSION, CHUNK_TAG, number, length, name)


def object_key(object_id: int) -> bytes:
    """The key of an object's row."""
    return _KEY.pack(OBJECT_TAG, object_id)


def name_key(parent: int, name: bytes) -> bytes:
    """The key of a name's row."""
    return _KEY.pack(NAME_TAG, parent) + name


def chunk_key(number: int) -> bytes:
    """The key of a device's chunk."""
    return _KEY.pack(CHUNK_TAG, number)


# What a row says, without decoding it. Those that every row of a commit is asked for are no functions of ours: a call of one
# costs as much as the answer (docs/decisions/0057).

#: The tag of row bytes, and of a key. ``IndexError`` for what is too short to have one.
tag_of: Callable[[bytes], int] = itemgetter(1)
tag_of_key: Callable[[bytes], int] = itemgetter(0)
#: ``(id, mode, size)`` of an object's row bytes. ``struct.error`` for what is cut short, here and below.
object_columns: Callable[[bytes], tuple[int, int, int]] = struct.Struct(">2xQI24xQ").unpack_from
#: ``(parent, object)`` of a name's row bytes, and its name.
name_columns: Callable[[bytes], tuple[int, int]] = struct.Struct(">2xQQ").unpack_from
name_in: Callable[[bytes], bytes] = itemgetter(slice(_NAME.size, None))
#: ``(number, length, name)`` of a chunk's row bytes.
chunk_columns: Callable[[bytes], tuple[int, int, bytes]] = struct.Struct(">2xQI32s").unpack_from
#: The head of a row of ``PLAIN_FILE_SIZE`` bytes, if it is one of a plain file: see ``row_checks``.
plain_file_columns: Callable[[bytes], tuple[int, ...]] = _PLAIN_FILE.unpack_from
#: Mode, owner and group of an object's row bytes, to be compared.
access_in: Callable[[bytes], bytes] = itemgetter(slice(10, 22))


def is_object(row: bytes) -> bool:
    """Whether these bytes, which may be anything, are an object's row."""
    return row[1:2] == _OBJECT_BYTE


def key_is_object(key: bytes) -> bool:
    """Whether this key is an object's."""
    return key[0] == OBJECT_TAG


def file_type_of(row: bytes) -> int:
    """The file type (``stat.S_IFREG`` and so on) in an object's row bytes."""
    mode: int = _MODE.unpack_from(row)[0]
    return mode & 0o170000


def key_of(row: bytes) -> bytes:
    """The key of a row."""
    return row[1:10] + row[18:] if row[1] == NAME_TAG else row[1:10]


def size_of(row: bytes) -> int:
    """Bytes of content that a row stands for: a regular file's, a chunk's; 0 for all else."""
    if row[1] == OBJECT_TAG:
        return object_columns(row)[2]
    return chunk_columns(row)[1] if row[1] == CHUNK_TAG else 0


def content_of(row: bytes) -> bytes:
    """The chunk list of the content that a row stands for, a regular file's or that of a chunk; empty for all else. The bytes
    may be anything: raises ``WireError``."""
    try:
        if row[1:2] == _CHUNK_BYTE:
            _, length, name = chunk_columns(row)
            return chunks.encode_one(length, name)
        if not is_object(row):
            return b""
        mode, count = _XATTR_COUNT.unpack_from(row)
    except struct.error as error:
        raise bad_row("a row that is cut short") from error
    if mode & 0o170000 != stat.S_IFREG:
        return b""
    return decode_object(row).content if count else row[OBJECT_HEAD_SIZE:]


#: Where a row stands among all of its state: objects by id, then names by parent and name, then chunks by number.
RowOrder: TypeAlias = tuple[int, int, bytes]


def order_of(row: bytes) -> RowOrder:
    """Where this row comes, as bytes that may be anything. Raises ``WireError`` for what is no row."""
    tag = row[1] if len(row) >= _NAME.size else 0
    if tag == OBJECT_TAG:
        return 0, _FIRST.unpack_from(row)[0], b""
    if tag == NAME_TAG:
        return 1, _FIRST.unpack_from(row)[0], row[_NAME.size :]
    if tag == CHUNK_TAG:
        return 2, _FIRST.unpack_from(row)[0], b""
    raise bad_row("bytes that are no row")


def object_id_of_key(key: bytes) -> ObjectId:
    """The object id in an object's key."""
    return ObjectId(_ID.unpack_from(key, 1)[0])


def chunk_number_of_key(key: bytes) -> ChunkNumber:
    """The number in a chunk's key."""
    return ChunkNumber(_ID.unpack_from(key, 1)[0])


def holder_of_key(key: bytes) -> int:
    """Whose content a key is about: an object's id, a chunk's number; 0 for a name's, which has none."""
    holder: int = _ID.unpack_from(key, 1)[0]
    return 0 if key[0] == NAME_TAG else holder


def parent_and_name_of_key(key: bytes) -> tuple[ObjectId, bytes]:
    """Parent and name in a name's key."""
    return ObjectId(_ID.unpack_from(key, 1)[0]), key[9:]


def object_id_of_name(row: bytes) -> ObjectId:
    """The object that a name's row bytes stand for."""
    return ObjectId(_ID.unpack_from(row, 10)[0])


def decode_object(row: bytes) -> ObjectRow:
    """The object in these bytes. Believes well-formed bytes only; see :mod:`agent.core.row_checks` for what is legal.

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
        raise bad_row("an object that is cut short") from error
    if version != VERSION or tag != OBJECT_TAG or at > len(row):
        raise bad_row("bytes that are no object")
    mtime = seconds * SECOND + ns
    return ObjectRow(ObjectId(oid), mode, uid, gid, mtime, flags, size, rdev, tuple(xattrs), row[at:])


def decode_name(row: bytes) -> NameRow:
    """The name in these bytes. Raises ``WireError``."""
    if len(row) <= _NAME.size:
        raise bad_row("a name that is cut short")
    version, tag, parent, oid = _NAME.unpack_from(row)
    if version != VERSION or tag != NAME_TAG:
        raise bad_row("bytes that are no name")
    return NameRow(ObjectId(parent), row[_NAME.size :], ObjectId(oid))


def decode_chunk(row: bytes) -> ChunkRow:
    """The chunk in these bytes. Raises ``WireError``."""
    if len(row) != _CHUNK.size:
        raise bad_row("a chunk of another length")
    version, tag, number, length, name = _CHUNK.unpack(row)
    if version != VERSION or tag != CHUNK_TAG:
        raise bad_row("bytes that are no chunk")
    return ChunkRow(ChunkNumber(number), length, name)


def bad_row(what: str) -> WireError:
    """Row bytes that nobody should have sent hold ``what``."""
    return WireError("read a row", "", f"it holds {what}", "the sender is faulty or hostile; nothing was stored")
