"""The catalog's tables.

A row lives from commit ``since`` until commit ``until`` (``FOREVER``: still). It is seen at ``at`` iff
``since <= at and until > at``; of one key that is at most one row. Both may be ahead of the newest commit: such rows are staged.

An object's key ends in ``until``, so its row at a moment is the first one behind it, and the live row is found at once however
much history it has. Names are kept by directory and then ``until``: what lives in a directory stands together, so ``children``
costs what it returns; of a name that ended, ``name_ended`` knows the moments. What an object is called is found at once too,
though it was renamed a million times. A name's row bytes are not stored: its columns are all there is to it. ``owed`` stands
beside a version of an object that was sealed although some of its content did not come and is not here (law 9); its ``until``
is that of the version. A commit has one digest on every node, so that is outside of it. The indexes by ``since`` and ``until``
drive differences. A first sync writes five trees a file, and none that is only for history.

A device's content is rows of a third kind: ``chunk`` has each of its chunks by number, kept through time as objects are.

Neither ``time`` nor ``received`` ever falls from one commit to the next, so a time is found by number, by halves, and a commit
writes no tree for them (docs/decisions/0051). Epochs are keyed by number and token; of those with one number at most one has
commits here, and ``first`` is the first of these. ``kept`` has the commits that stay readable beyond the last hours, each once
for every ``owner`` that keeps it; ``generation`` says what is known of those that are generations (``catalog.generation``),
``together`` which of them are of one moment with those of other datasets, ``retention`` has the clock by which they grow old
(``generations.retention_clock``), and ``passed`` which commit was the newest when that clock showed what it did.

The format only grows: what came later stands in ``GROWN`` and is added where a catalog of before is opened.
"""

from __future__ import annotations

#: ``until`` of a row that lives. SQL below and elsewhere spells it out: only so are the partial indexes used.
FOREVER = 9223372036854775807
VERSION = 5
APPLICATION = 0x68696B61  #: "hika", in the database header

TABLES = """
create table object (
    id integer not null, until integer not null, since integer not null, row blob not null, primary key (id, until)
) without rowid, strict;
create index object_since on object (since);
create index object_until on object (until) where until < 9223372036854775807;

create table name (
    parent integer not null, until integer not null, name blob not null, since integer not null,
    object integer not null, primary key (parent, until, name)
) without rowid, strict;
create index name_ended on name (parent, name, until, since, object) where until < 9223372036854775807;
create index name_object on name (object, until);
create index name_since on name (since, parent, name);
create index name_until on name (until) where until < 9223372036854775807;

create table chunk (
    number integer not null, until integer not null, since integer not null, row blob not null, primary key (number, until)
) without rowid, strict;
create index chunk_since on chunk (since);
create index chunk_until on chunk (until) where until < 9223372036854775807;

create table owed (
    object integer not null, until integer not null, since integer not null, primary key (object, until)
) without rowid;

create table commits (
    number integer primary key, parent integer not null, digest blob not null, time integer not null,
    received integer not null, consistent integer not null, entries integer not null, bytes any not null,
    fuzzy integer not null, pack integer not null, offset integer not null, files integer not null,
    kind integer not null, reached integer not null, same_as integer not null, label text not null
) strict;
create index commit_anew on commits (number) where parent = 0;
create table epoch (
    number integer not null, token blob not null, owner text not null, reason text not null, first integer,
    primary key (number, token)
) without rowid, strict;
create unique index epoch_begun on epoch (number) where first is not null;
create table kept (
    number integer not null, owner text not null, label text not null, time integer not null, rows integer not null,
    primary key (number, owner)
) without rowid, strict;
create index kept_owner on kept (owner);
create table sums (block integer primary key, sums blob not null) strict;
create table piece (name blob primary key, data blob not null, named integer not null) without rowid, strict;
create index piece_unnamed on piece (name) where named = 0;
create table meta (key text primary key, value integer not null) without rowid, strict;
"""

#: Made at each opening where it is not there yet. A reader may meet a catalog without it.
GROWN = """
create table if not exists generation (
    name text primary key, number integer not null, label text not null, pinned integer not null, taken integer not null,
    dated integer not null, immutable_until integer not null, cause text not null, reached integer not null,
    stood_still integer not null, incomplete integer not null, note text not null, hooks text not null
) without rowid, strict;
create table if not exists retention (
    id integer primary key check (id = 1), now integer not null, wall integer not null, since_boot integer not null,
    boot text not null
) strict;
create table if not exists together (name text primary key, moment text not null) without rowid, strict;
create table if not exists passed (retained integer primary key, number integer not null) strict;
create index if not exists commit_label on commits (number) where label <> '';
"""
