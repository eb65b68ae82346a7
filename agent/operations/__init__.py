"""What can be asked of a running agent: each operation is declared once, with its arguments and what it does.

::

    hikae wait web ─→ api.client ═ socket ═ api.server ─→ routes ─→ desk.ask(WaitRequest("web")) ─→ waiting._wait

``declaration`` is what an operation is; ``reading``, ``waiting``, ``verifying``, ``pausing``, ``holding`` and ``configuring``
are a family each; ``families`` lists all of them. Routes, client and the node's desk derive from that list: a new operation is
declared here, and has a command in ``cli``.

The command line imports this package too, so nothing here imports at its top what only an agent needs (gRPC, SQLite).
"""
