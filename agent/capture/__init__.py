"""Source to commit: what hints and walks point at is read, compared with the catalog, and written as rows.

::

    watcher ─hints→ pump ── settle ready ──→ look ─┐                    ┌→ catalog.write   durable
                     │                             ├→ batch ────────────┼→ local.write     this machine's facts
                     └── has room ──→ walk, large ─┘                    └→ outlet.commit   to the peers

    pump             the thread that drives all of it
    committer        one batch → catalog, local facts, peers
    tickets          what a barrier, a reconcile or a doubt waits for
    pruning          history that nobody needs any more
    outlet           the seam to stream: chunks and commits out, chunk references back in
    batch            catalog and local facts with one uncommitted batch laid over them
    directories      directories by object id, and where an object is now
    path_problems    problems of single paths
    root             is the root still the root?
    exclude          what is left out
    tree/            names: what stands at a path, which known object it is, what walks find
    files/           objects: one entry → its row, with content; what is large is read in slices

One thread, the pump's, owns all of it but ``files.read_back``. Work that may take long is a generator: at each ``yield`` the
rows so far form a valid tree, and the pump may commit them and let hints have their turn. No directory's descriptor is kept
over a ``yield``.
"""
