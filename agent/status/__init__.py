"""How are we? Derived from facts whenever somebody asks, never stored as a truth.

::

    node ──facts──→ NodeFacts ──status_json──→ the published value ──→ state.json (web), admin socket, status, check
                                                     │
                              events_between(old, new) ──→ events

``facts`` what the node tells, ``state`` the one word for it, ``published`` the JSON that others rely on, ``lines`` and
``check`` the same for people and monitoring, ``events`` its changes, ``publish`` the thread that writes it,
``text`` and ``figures`` how bytes and numbers are shown, ``log`` how the agent speaks to its journal.
"""
