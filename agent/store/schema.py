"""The catalog's tables.

A row lives from commit ``since`` until commit ``until`` (``FOREVER``: still). It is seen at ``at`` iff
``since <= at and until > at``; of one key that is at most one row. Both may be ahead of the newest commit: such rows are staged.

Keys end in ``until``, so the row at a moment is the first one behind it, and the live row is found at once however much history a
key has. A name's row bytes are not stored: its columns are all there is to it. ``name_live`` answers ``children`` at the
cost of what it returns; the indexes by ``since`` and ``until`` drive differences.
"""

from __future__ import annotations

#: ``until`` of a row that lives. SQL below and elsewhere spells it out: only so are the partial indexes used.
FOREVER = 9223372036854775807
VERSION = 1
APPLICATION = 0x68696B61  #: "hika", in the database header

TABLES = """
create table object (
    id integer not null, until integer not null, since integer not null, row blob not null, primary key (id, until)
) without rowid;
create index object_since on object (since);
create index object_until on object (until) where until < 9223372036854775807;

create table name (
    parent integer not null, name blob not null, until integer not null, since integer not null,
    object integer not null, primary key (parent, name, until)
) without rowid;
create index name_live on name (parent, until, name, since, object);
create index name_object on name (object);
create index name_since on name (since);
create index name_until on name (until) where until < 9223372036854775807;

create table commits (
    number integer primary key, parent integer not null, digest blob not null, time integer not null,
    received integer not null, consistent integer not null, entries integer not null, bytes integer not null,
    fuzzy integer not null, pack integer not null, offset integer not null
);
create table epoch (number integer primary key, owner text not null, token blob not null, first integer);
create table bucket (number integer primary key, total blob not null);
create table piece (name blob primary key, data blob not null);
create table meta (key text primary key, value integer not null) without rowid;
"""
