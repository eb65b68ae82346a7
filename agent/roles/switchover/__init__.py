"""The primary hands its place over to a standby that has everything: nothing is lost, and nobody writes in between.

::

    gates ─ prepare ─ drain ─ stop ─ writers ─ barrier ─ compare ─ hand-over ─ take-over ─ start     on the old primary
                                                                      │            └ role ─ serving ─ start, on the new one
                                                                      └ durable: before it the old one serves again,
                                                                        after it the new one does, whatever fails
"""
