"""Another process that reads a moment: ``python moment_process.py CATALOG VAULT NUMBER`` says "leased", waits for a line, reads
every file, and says a digest of all of it and "read"; then it waits for the end of its input."""

from __future__ import annotations

import hashlib
import os
import stat
import sys

from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.generations.lease import leased
from agent.generations.reading import MomentReader
from agent.store.catalog.reader import CatalogReader
from agent.store.vault.beside import VaultBeside


def digest_of_files(moment: MomentReader, directory: ObjectId = ROOT, path: bytes = b"") -> bytes:
    """Of paths and contents, in order."""
    digest = hashlib.sha256()
    for entry in moment.every_entry(directory):
        row, below = entry.row, path + b"/" + entry.name
        if stat.S_ISDIR(row.mode):
            digest.update(digest_of_files(moment, entry.id, below))
        digest.update(below + b"\0" + moment.bytes_at(row, 0, row.size))
    return digest.digest()


def digest_of_tree(directory: bytes, path: bytes = b"") -> bytes:
    """The same of a tree on disk."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(directory + path)):
        if name == b".hikae":
            continue
        below = path + b"/" + name
        if os.path.isdir(directory + below):
            digest.update(digest_of_tree(directory, below))
            digest.update(below + b"\0")
            continue
        with open(directory + below, "rb") as file:
            digest.update(below + b"\0" + file.read())
    return digest.digest()


def _main(catalog: str, vault: str, number: int) -> None:
    with (
        CatalogReader.open(catalog) as reader,
        VaultBeside.open_beside(vault) as chunks,
        leased(reader, CommitNumber(number), "a test"),
    ):
        print("leased", flush=True)
        sys.stdin.readline()
        print(digest_of_files(MomentReader(reader, chunks.read, CommitNumber(number))).hex(), flush=True)
        print("read", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
