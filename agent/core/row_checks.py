"""What may be a row: of what stands in a tree, before it becomes one, and of what another node sent (law 6)."""

from __future__ import annotations

import errno
import os
import stat

from agent.core import chunks
from agent.core.errors import WireError
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import (
    CHUNK_TAG,
    FLAGS_KEPT,
    NAME_TAG,
    OBJECT_HEAD_SIZE,
    OBJECT_TAG,
    PLAIN_FILE_SIZE,
    PRIVATE_DIR,
    SECOND,
    VERSION,
    ChunkRow,
    ObjectRow,
    Row,
    Xattrs,
    bad_row,
    chunk_number_of_key,
    decode_chunk,
    decode_name,
    decode_object,
    encode_object,
    object_id_of_key,
    parent_and_name_of_key,
    plain_file_columns,
)

NAME_MAX = 255
SYMLINK_MAX = 4095
XATTR_NAME_MAX = 255
XATTR_VALUE_MAX = 65536
XATTRS_MAX = 0xFFFF
#: Bytes of a whole row: what travels at once, and what a node has in memory of one (law 9). ``stream.messages`` builds on it.
ROW_MAX = (4 << 20) - 5
SIZE_MAX = (1 << 63) - 1
#: No user and no group: the kernel's "not to be changed".
NOBODY = (1 << 32) - 1
#: Of a device number, see MAJOR and MINOR in the kernel's kdev_t.h.
_MAJOR_MAX, _MINOR_MAX = (1 << 12) - 1, (1 << 20) - 1


class Unfit(OSError):
    """An object cannot be a row, or not one that could be sent. ``strerror`` says why, in the words of a sentence that
    begins with "it cannot be replicated"."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EOVERFLOW, why)


def require_fit(row: ObjectRow) -> None:
    """An object is asked all that :func:`check_row` and the stream ask of its row, before it is one: raises ``Unfit``."""
    if not row.xattrs and len(row.content) <= SYMLINK_MAX:
        if row.size > SIZE_MAX:
            raise Unfit(f"its size of {row.size:,} bytes is beyond what is kept")
        return
    if len(row.xattrs) > XATTRS_MAX:
        raise Unfit(f"it has {len(row.xattrs):,} extended attributes, and at most {XATTRS_MAX:,} are kept")
    size = OBJECT_HEAD_SIZE + len(row.content) + sum(6 + len(name) + len(value) for name, value in row.xattrs)
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


def check_row(row: bytes) -> Row:
    """Decode a row that came from another node and refuse what no honest capture would send (law 6).

    Raises ``WireError`` with what is wrong."""
    if len(row) < 2:
        raise bad_row("an empty row")
    if len(row) == PLAIN_FILE_SIZE:
        plain = _plain_file(row)
        if plain is not None:
            return plain
    tag = row[1]
    if tag == NAME_TAG:
        name_row = decode_name(row)
        check_name(name_row.parent, name_row.name)
        if name_row.object == ROOT:
            raise bad_row("a name for the root")
        return name_row
    if tag == CHUNK_TAG:
        chunk = decode_chunk(row)
        _check_chunk(chunk)
        return chunk
    decoded = decode_object(row)
    _check_object(decoded)
    if encode_object(decoded) != row:
        raise bad_row("an object in another than its canonical form")
    return decoded


def _plain_file(row: bytes) -> ObjectRow | None:
    """A regular file of one chunk and without extended attributes, if these bytes are one and all is legal; it has no other
    form than this. None says nothing: look closely."""
    head = plain_file_columns(row)
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
    return ObjectRow(ObjectId(id), mode, uid, gid, seconds * SECOND + ns, flags, size, 0, (), row[OBJECT_HEAD_SIZE:])


def check_key(key: bytes) -> None:
    """Refuse a malformed key in a drop, or one that names the root object."""
    if len(key) < 9 or key[0] not in (OBJECT_TAG, NAME_TAG, CHUNK_TAG):
        raise bad_row("a key that is cut short")
    if key[0] == OBJECT_TAG:
        if len(key) != 9 or object_id_of_key(key) == ROOT:
            raise bad_row("a drop of the root, or a malformed key")
    elif key[0] == CHUNK_TAG:
        if len(key) != 9 or not 0 < chunk_number_of_key(key) <= chunks.DEVICE_CHUNKS_MAX:
            raise bad_row("a chunk that no device has")
    else:
        check_name(*parent_and_name_of_key(key))


def check_name(parent: int, name: bytes) -> None:
    """Refuse a directory entry that would leave the dataset or enter our own directory."""
    if not name or len(name) > NAME_MAX or name in (b".", b"..") or b"/" in name or b"\0" in name:
        raise bad_row(f"the name {name[:40]!r}")
    if parent == ROOT and name == PRIVATE_DIR:
        raise bad_row("a name inside our own directory")


def _check_chunk(row: ChunkRow) -> None:
    if not 0 < row.number <= chunks.DEVICE_CHUNKS_MAX:
        raise bad_row(f"chunk {row.number} of a device")
    if not 0 < row.length <= chunks.DEVICE_CHUNK:
        raise bad_row(f"a device's chunk of {row.length} bytes")


def _check_object(row: ObjectRow) -> None:
    kind = row.kind
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK):
        raise bad_row(f"an object of type {kind:o}")
    if row.id == ROOT and kind != stat.S_IFDIR:
        raise bad_row("a root that is no directory")
    if row.mode > 0o177777 or row.flags & ~FLAGS_KEPT or not row.id:
        raise bad_row("impossible metadata")
    if NOBODY in (row.uid, row.gid):
        raise bad_row(f"the owner {NOBODY}, which is none: to chown it means to leave the owner as it is")
    if row.rdev:
        _check_device(kind, row.rdev)
    _check_xattrs(row.xattrs)
    if kind == stat.S_IFREG:
        if row.size >= 1 << 63 or chunks.length_of(row.content) != row.size:
            raise bad_row("a chunk list of another length than the file")
    elif row.size:
        raise bad_row("a size without a file")
    elif kind == stat.S_IFLNK:
        if not 0 < len(row.content) <= SYMLINK_MAX or b"\0" in row.content:
            raise bad_row("an impossible symlink target")
    elif row.content:
        raise bad_row("content without a file")


def _check_device(kind: int, rdev: int) -> None:
    if kind not in (stat.S_IFCHR, stat.S_IFBLK):
        raise bad_row("a device number without a device")
    if os.major(rdev) > _MAJOR_MAX or os.minor(rdev) > _MINOR_MAX:
        raise bad_row("a device number that no kernel has")


def _check_xattrs(xattrs: Xattrs) -> None:
    last = b""
    for name, value in xattrs:
        if not 0 < len(name) <= XATTR_NAME_MAX or b"\0" in name or len(value) > XATTR_VALUE_MAX:
            raise bad_row("an impossible extended attribute")
        if name <= last:
            raise bad_row("extended attributes out of order")
        last = name
