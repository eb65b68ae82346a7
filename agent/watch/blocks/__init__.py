"""Which bytes of a block device may have changed? The kernel's block tracepoints tell, with no kernel module.

::

    trace_pipe_raw (one ring a CPU) ─ ring ─ written sectors ─▶ DirtyMap (bounded) ─ take() ─▶ whoever reads the device

``ports`` is the contract of every tracker, ``dirty_map`` what waits to be taken.
"""
