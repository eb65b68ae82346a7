"""The way in for operators on the same machine: HTTP and JSON over a Unix socket.

::

    hikae wait web ──→ client.AdminClient ═ socket 0600 ═ server.AdminServer ──→ operations.desk, on the node

Both ends satisfy ``operations.declaration.Controls``, so a command does not know whether a socket is between; ``routes`` derives
the addresses from what is declared there. A long operation is answered with JSON lines: any number of ``{"progress": …}`` and
empty lines (the server lives), then ``{"result": …}`` or ``{"error": …}``; any other with one such object. An answer without its
last line never counts.
"""
