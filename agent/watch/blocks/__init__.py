"""Which bytes of a block device may have changed? The kernel's block tracepoints tell, with no kernel module.

::

    tracefs instance ─ rings, one a CPU ─ ring ─ written sectors ─▶ DirtyMap ─ take() ─▶ whoever reads the device
                                              └─ sectors told of ─▶ accounts ◀─ counters of the disk

``ports`` is the contract of every tracker; ``tracker`` is the one of a block device. It stands on ``disk_trace``, an open trace
of one disk: ``tracefs`` (the instance), ``formats`` and ``ring`` (how records are read), ``disk`` (what sysfs shows).
``dirty_map`` is what waits to be taken, bounded; ``accounts`` compares with the disk's counters; ``saved_map`` is kept over a
clean stop.
"""
