"""The node: the only place that wires the parts of an agent together.

``service`` is the process (signals, systemd); ``assembly`` the node with its doors (peers, admin socket, published state); ``tended`` opens a
dataset, and opens it again when it failed; ``primary`` and ``standby`` are a dataset's two sides; ``controls`` what operators ask for.
"""

from agent.node.service import run

__all__ = ["run"]
