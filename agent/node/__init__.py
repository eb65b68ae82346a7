"""The node: the only place that wires the parts of an agent together.

``assembly`` is the node with its doors (peers, operators, published state); ``member`` one of its datasets, which
``reopening`` opens, and opens again when it failed; ``primary`` and ``standby`` are the two sides of a dataset, wired from what
stands in ``reigning`` and ``following``; ``context`` is what they are handed, ``facts`` what status is told of them.
"""
