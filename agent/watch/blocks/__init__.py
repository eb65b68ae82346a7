"""Which bytes of a block device may have changed? The kernel's block tracepoints tell, with no kernel module.

::

    tracefs instance ─ rings, one a CPU ─ ring ─ written sectors ─▶ DirtyMap ─ take() ─▶ whoever reads the device
                                              └─ sectors told of ─▶ accounts ◀─ counters of the disk

``ports`` is the contract of every tracker, ``choose`` picks one: ``image_file`` for a raw image, ``tracker`` for a device. That
one stands on ``disk_trace``, an open trace of one disk: ``tracefs`` (the instance), ``formats`` and ``ring`` (how records are
read), ``disk`` (what sysfs shows). ``dirty_map`` is what waits to be taken, bounded; ``accounts`` compares with the disk's
counters; ``under_way`` knows what a stacked disk does not tell; ``saved_map`` is kept over a clean stop.
"""
