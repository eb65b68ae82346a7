"""Whatever stands in a file of ours, or comes to the operators' socket: a right answer or an error of ours, never another one.

`make soak PART=inputs` tries 100,000 of each kind.
"""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest
from xxhash import xxh3_64_intdigest

from agent.api.server import AdminServer
from agent.config import ConfigMistakes, load
from agent.config.mistakes import Mistake
from agent.core import chunks
from agent.core.commit import Changes
from agent.core.errors import HikaeError
from agent.core.ids import NOTHING, ROOT
from agent.core.patch import between
from agent.store.catalog.catalog import Catalog
from agent.store.sqlite import Synchronous, open_database, query
from agent.store.vault.codec import is_patch, open_patch, pack_chunk, pack_patch
from agent.store.vault.open_packs import OpenPack
from agent.store.vault.pack import HEAD, HEADER_SIZE, MAGIC, PackEnd, Place, header_of, path_of, records
from agent.store.vault.vault import Vault
from fakes.api_fakes import FakeControls, unheard
from fakes.idle import damaged_in
from fakes.mangled import inputs_wanted, mangled
from fakes.store_fakes import begun, file_row, header, name_row, some_chunks

CONFIGURATION = b"""
[node]
name = "alpha"
state_dir = "/var/lib/hikae"
listen = "0.0.0.0:7440"
[tls]
ca = "/etc/hikae/pki/ca.crt"
[[peer]]
name = "beta"
address = "[2001:db8::2]:7440"
[[dataset]]
name = "web"
path = { alpha = "/srv/web", beta = "/mnt/web/" }
primary = "alpha"
standby = ["beta"]
exclude = ["**/*.tmp", "/a[b-c]?"]
reconcile = "0 3 * * *"
history = "24h"
vault_limit = "500GB"
[dataset.generations]
keep = { daily = 30, weekly = 8 }
[dataset.brake]
deleted = "30%"
window = "15m"
[dataset.limits]
first_sync = [{ hours = "22:00-05:00", rate = "80MB/s" }]
[dataset.hooks]
start = ["systemctl", "start", "shop"]
"""

REQUESTS = [
    b"GET /v1/status HTTP/1.0\r\n\r\n",
    b"GET /v1/events?since=12&limit=3 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[::1]/v1/status HTTP/1.0\r\n\r\n",
    b'POST /v1/datasets/web/wait HTTP/1.0\r\nContent-Length: 36\r\n\r\n{"level": "durable", "timeout": 0.5}',
    b'POST /v1/datasets/web/pause HTTP/1.0\r\nContent-Length: 32\r\n\r\n{"what": "send", "seconds": 7.25}',
    b'POST /v1/datasets/w%C3%A9b/verify HTTP/1.0\r\nContent-Length: 14\r\n\r\n{"deep": true}',
    b"POST /v1/reload HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
]


def test_configuration(rng: random.Random, tmp_path: Path) -> None:
    """Settings, or mistakes with a place and words."""
    path = tmp_path / "agent.toml"
    for data in mangled(rng, [CONFIGURATION], inputs_wanted()):
        path.write_bytes(data)
        found: tuple[Mistake, ...] = ()
        try:
            load(str(path))
        except ConfigMistakes as error:
            found = error.mistakes
        assert all(mistake.place and mistake.message for mistake in found)


def _pack() -> bytes:
    """Chunks, a part of a list, and a patch."""
    stored, raws = some_chunks(4)
    base = os.urandom(5000)
    raw = base[:-1] + b"x"
    patch = pack_patch(chunks.name_of(raw), chunks.DATA, raw, between(raw, chunks.name_of(base), base))
    assert patch is not None
    part = chunks.encode_one(5, raws[0][:32].ljust(32))
    listed = pack_chunk(chunks.name_of_list(part), chunks.PIECE, part)
    return b"".join(header_of(one) + bytes(one.stored) for one in (*stored, listed, patch))


def _sealed(data: bytes) -> bytes:
    """With headers that vouch for themselves, whatever is in them: damage of a kind that no check finds."""
    out, at = bytearray(data), data.find(MAGIC)
    while at >= 0 and at + HEADER_SIZE <= len(out):
        struct.pack_into(">Q", out, at + HEAD.size, xxh3_64_intdigest(bytes(out[at : at + HEAD.size])))
        at = data.find(MAGIC, at + 1)
    return bytes(out)


def _read(pack: OpenPack, name: bytes, place: Place) -> None:
    with suppress(HikaeError):
        pack.chunk(name, place)
    if is_patch(place.codec):
        with suppress(HikaeError), pack.damage_told(place):
            open_patch(place.codec, place.raw_length, pack.stored(name, place))
        with suppress(HikaeError):
            pack.bases(place)


def test_packs(rng: random.Random, tmp_path: Path) -> None:
    """Records are found or passed over, and read or called damaged."""
    path = path_of(str(tmp_path), 0)
    for number, data in enumerate(mangled(rng, [_pack()], inputs_wanted())):
        Path(path).write_bytes(_sealed(data) if number % 2 else data)
        pack = OpenPack(path)
        for name, place in records(pack.fd, 0, 0, len(data), []):
            _read(pack, name, place)


def test_vaults(rng: random.Random, tmp_path: Path) -> None:
    """A vault over such a pack opens, and says of each chunk whether it is right."""
    for number, data in enumerate(mangled(rng, [_pack()], inputs_wanted() // 25)):
        home = tmp_path / str(number)
        (home / "packs").mkdir(parents=True)
        Path(path_of(str(home / "packs"), 0)).write_bytes(_sealed(data))
        with suppress(HikaeError), Vault.open(str(home), PackEnd(0, len(data))) as vault:
            names = list(vault.names())
            wrong = {name for name, _ in damaged_in(vault)}
            for name in names:
                with suppress(HikaeError):
                    assert (name in wrong) is not (len(vault.read(name)) > 0)


def _catalog(path: Path) -> bytes:
    with begun(str(path)) as catalog:
        for seq in range(2, 30):
            rows = [
                row for id in range(seq * 10, seq * 10 + 5) for row in (file_row(id), name_row(ROOT, b"%d" % id, id))
            ]
            catalog.write(Changes(rows), header(seq))
    return path.read_bytes()


def _look(catalog: Catalog) -> None:
    newest = catalog.newest()
    list(catalog.rows_at())
    if newest is not None:
        list(catalog.difference(NOTHING, newest.number))
        list(catalog.commits(NOTHING, 10))
    with catalog.reader() as reader:
        reader.child(ROOT, b"20")
    catalog.withdraw()


def test_catalogs(rng: random.Random, tmp_path: Path) -> None:
    """A damaged database is called so, by its page's checksum or by what does not fit; what can be read is read."""
    right, path = _catalog(tmp_path / "right.db"), tmp_path / "catalog.db"
    for data in mangled(rng, [right], inputs_wanted()):
        path.write_bytes(data)
        with suppress(HikaeError), Catalog.open(str(path)) as catalog:
            _look(catalog)
        for beside in ("-wal", "-shm"):
            (tmp_path / f"catalog.db{beside}").unlink(missing_ok=True)


_VALUES: list[object] = [None, 0, -1, 1, (1 << 63) - 1, -(1 << 63), 1.5, "", "text", b"", b"\0" * 8, b"o", b"n" * 300]


def _unlike(rng: random.Random, connection: apsw.Connection) -> None:
    """One value of one row, or all of a column, is another: pages whose checksums are right."""
    tables = [row[0] for row in query(connection, "select name from sqlite_schema where type = 'table'")]
    table = rng.choice(tables)
    column = rng.choice([row[1] for row in query(connection, f"pragma table_info({table})")])
    value = rng.choice([*_VALUES, rng.randbytes(rng.choice((1, 9, 64)))])
    some = "where random() % 3 = 0" if rng.random() < 0.7 else ""
    with suppress(apsw.Error):
        query(connection, f"update {table} set {column} = ? {some}", (value,))


def test_catalogs_with_other_values(rng: random.Random, tmp_path: Path) -> None:
    """What no checksum finds: each row holds what it may not."""
    right, path = _catalog(tmp_path / "right.db"), tmp_path / "catalog.db"
    for _ in range(inputs_wanted()):
        path.write_bytes(right)
        connection = open_database(str(path), Synchronous.NORMAL, 1000)
        _unlike(rng, connection)
        connection.close()
        with suppress(HikaeError), Catalog.open(str(path)) as catalog:
            _look(catalog)
        for beside in ("-wal", "-shm"):
            (tmp_path / f"catalog.db{beside}").unlink(missing_ok=True)


@pytest.fixture
def door(tmpfs_dir: Path) -> Iterator[str]:
    """The path of a socket where an agent that is not there is asked."""
    path = str(tmpfs_dir / "admin.sock")
    server = AdminServer(path, FakeControls(), unheard)
    server.start()
    yield path
    server.stop()


def _answer(path: str, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(path)
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        return b"refused"


def test_requests(rng: random.Random, door: str) -> None:
    """Every line that is one has an answer, and no answer speaks of a bug."""
    for request in mangled(rng, REQUESTS, inputs_wanted()):
        answer = _answer(door, request)
        # Blank, as the server of the standard library sees it: separators of ASCII (1C to 1F) and of Latin-1 too.
        blank = not request.split(b"\n")[0].decode("latin-1").strip()
        assert (True, request) == (bool(answer) or blank, request)
        assert (False, request) == (b"a bug in hikae" in answer, request)
