"""Datasets that belong together: one moment of all on their primary, one generation of each on the node with the vaults.

::

    vault's node                                                     primary
    taking: asks each dataset's call ─AskBarrier(moment)─→ desk: once all were asked for
                                                             moment: hooks, ready?, one freeze of all, one commit each
            each commit durable? then one generation each ←BarrierReached(moment)─┘

    members    which datasets are meant
    source     what one of them is, on its primary
    moment     one moment of all, captured (primary)
    desk       the moments that peers ask for (primary)
    named      what an operator names of a group's moments (pure)
    taking     a generation of each, or of none (vault's node)
    scheduled  one for all whose schedule is the same (vault's node)
"""
