"""The second process: health for load balancers, metrics and status over HTTP, from what the agent publishes and nothing else.

::

    state.json ──StateFiles──→ StateLook(value, age) ──questions──→ Answer ──health, agent_check──→ load balancers
    state-full.json ─────────→ StateLook ──status page, metrics──→ console ──→ people, Prometheus

It is unprivileged, holds no lock of the agent's and asks it nothing: bulk work cannot starve it, and a restart of the agent drops
no backend. A state that is older than ``HEALTH_TTL`` is nobody's: 503.
"""
