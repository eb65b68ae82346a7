"""The way in for operators on the same machine: HTTP and JSON over a Unix socket.

::

    hikae wait web ──→ client.AdminClient ═ socket 0600 ═ server.AdminServer ──→ Controls, which the node implements

Both ends satisfy ``controls.Controls``, so a command does not know whether a socket is between. A reading is answered
with one JSON object, an action with JSON lines: any number of ``{"progress": …}`` and empty lines (the server lives),
then ``{"result": …}`` or ``{"error": …}``. An answer without its last line never counts.
"""
