"""What may have changed? Hints, never the truth.

::

    fanotify (one group a filesystem) ─┐
    watchdog's inotify ────────────────┼─ Watcher ─ hints → Settle (pure, bounded) → whoever looks
    watchdog's polling ────────────────┘

``hint`` is the vocabulary and the contract of every watcher, ``choose`` picks one and says why. ``fanotify`` stands on
``records`` (the kernel's interface) and ``places`` (where a directory handle stands); ``inotify`` and ``polling`` stand on
watchdog; ``root`` notices when a root is another one. ``settle`` merges what they say until it is worth a look.
"""
