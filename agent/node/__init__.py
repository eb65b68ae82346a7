"""The node: the only place that wires the parts of an agent together.

``service`` is the process (signals, systemd); ``assembly`` the node with its doors (peers, operators, published state);
``member`` one of its datasets, which ``tended`` opens, and opens again when it failed; ``primary`` and ``standby`` are the
two sides of a dataset, ``lineage`` the epochs it writes in; ``operations`` is what operators ask for, ``shown`` what they see.
"""
