"""A block device or raw image → commits, as live migration does it: rounds while it is written, then a moment that stands still.

::

    tracker ─dirty extents→ rounds: read, compare, send ahead ─┐ until the rest fits the freeze
                                                               ▼
        freeze (by the guard) → drain the tracker → read the rest into locked memory → thaw → compare → one commit

    pump        the thread that drives it
    requests    what other threads tell it and ask of it
    opened      the device, open past every cache
    runs        extents as runs of chunks (pure)
    batch       what the next commit will hold
    looking     what was read, beside what is known of it
    rhythm      how often, how many rounds, when it is frozen (pure)
    moment      the freeze and the last read
    mounted     which filesystems stand on a device
    reread      bytes that a peer asks for, read again
"""
