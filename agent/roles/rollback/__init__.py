"""A living primary's tree goes back to an earlier moment, in place.

::

    stop ─ writers ─ barrier ─ generation ─ commit ─ converge ─ walk ─ start     each durable before and after
                                               │         └ the root is made equal; what others write is kept
                                               └ the moment's rows as a new commit: the tree is behind it now

``steps`` is the table, over a world that the node implements; ``taking_up`` stages the moment's rows, ``going_back`` makes the
root equal to them, ``meanwhile`` keeps what others changed, ``root_facts`` is what is known of the root until then.
"""
