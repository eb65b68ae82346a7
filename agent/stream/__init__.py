"""How commits travel: from the primary's catalog and source to a peer's vault and catalog. Knows no network.

::

    capture ─→ feed ─→ queue per peer ─→ sender ══ batches ══→ intake ─→ receiver ─→ vault, catalog
                                          │ ↑                             │
                    catchup (source) ─────┘ └──── Need, Progress ─────────┘←─ board (durable, applied)

``messages`` what is said, with its limits; ``feed`` fans live commits out; ``conversation`` credits, questions in
flight and deadlines of one call; ``sender`` and ``catchup`` the primary's side; ``receiver`` the secondary's
decisions, ``structure`` what rows must be, ``intake`` its loop; ``link`` dials and backs off; ``board`` who has come
how far; ``seats`` one call per dataset.
"""
