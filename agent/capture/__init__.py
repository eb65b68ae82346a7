"""Source to commit: what hints and walks point at is read, compared with the catalog, and written as rows.

::

    watcher ─hints→ pump ── settle ready ──→ look ─┐                    ┌→ catalog.write   durable
                     │                             ├→ batch ────────────┼→ local.write     this machine's facts
                     └── has room ──→ walk, large ─┘                    └→ outlet.commit   to the peers

    pump             the thread that drives all of it
    inbox            what other threads tell the pump and ask of it
    keeper           the session of what stands there now, or why there is none
    committer        one batch → catalog, local facts, peers
    pruning          history that nobody needs any more
    sessions         what the pump drives, as Protocols: a session, its batch, who opens one
    tickets          what a barrier, a reconcile or a doubt waits for
    outstanding      work that goes on, and what it left to other work
    outlet           the seam to stream: chunks and commits out, chunk references back in
    batch            catalog and local facts with one uncommitted batch laid over them
    open_tree        what every part of one opened root works with
    directories      directories by object id, and where an object is now
    path_problems    problems of single paths
    root             is the root still the root?
    exclude          what is left out
    tree/            the session of a tree. Names: what stands at a path, which known object it is, what walks find
    files/           objects: one entry → its row, with content; what is large is read in slices

One thread, the pump's, owns all of it but ``files.read_back``. Work that may take long is a generator: at each ``yield`` the
rows so far form a valid tree, and the pump may commit them and let hints have their turn. No directory's descriptor is kept
over a ``yield``.
"""
