"""Source to commit: what hints and walks point at is read, compared with the catalog, and written as rows.

::

    watcher ─hints→ pump ── settle ready ──→ look ─┐                       ┌→ catalog.write   durable
                     │                             ├→ view (one batch) ────┼→ local.write     this machine's facts
                     └── has room ──→ walk, large ─┘                       └→ outlet.commit   to the peers

    outlet     the seam to stream: chunks and commits out, chunk references back in
    rules      what is left out
    signature  is a stat worth anything?                    (pure)
    identity   which object is this entry?                  (pure)
    cutter     where content is cut
    folding    a chunk list while it grows
    content    one open file → chunk list, new chunks, prints
    pages      which 4 KiB pages of a large file changed
    view       catalog and local facts with one uncommitted batch laid over them
    place      directories by object id, and where an object is now
    objects    one entry → its object row
    look       hints → names: new, renamed, linked, vanished
    dropping   whole subtrees that are gone, in slices
    walk       reconcile: everything below a directory
    large      large files, in slices ahead of their commit
    reports    problems of single paths
    root       is the root still the root?
    engine     all of the above for one opened root
    tasks      hints to look at, and the background: walks, drops, large files
    committer  one batch → catalog, local facts, peers
    coverage   what a barrier, a reconcile or a doubt waits for
    pump       the thread that drives all of it
    source     bytes that a peer asks for, read again

One thread, the pump's, owns all of it but ``source``. Work that may take long is a generator: at each ``yield`` the rows
so far form a valid tree, and the pump may commit them and let hints have their turn. No directory's descriptor is kept
over a ``yield``.
"""
