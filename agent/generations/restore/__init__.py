"""A moment is brought back into a directory, by a process of its own.

::

    walk (this process)                        crew (processes, one for each core)
    moment ─entries→ directories made ─tasks→  files, links, devices made, every chunk checked
                          │                         │
                          └──── further names, metadata of directories, last ────→ what was done, what could not be

What stands already is believed by its content alone: so a restore that was cut off goes on where it was, and in place only what
differs is written. Nothing is deleted: what is in the way goes to ``.hikae/displaced``.
"""
