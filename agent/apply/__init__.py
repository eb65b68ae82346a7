"""Commit → standby: make a real directory equal to a commit (law 3).

One algorithm, *converge*, serves live commits, the redo after a crash, the first sync, and every way back to an older moment. It
works on a set of changed keys and on what stands on the disk, never on a list of operations::

    changed keys  the net difference (trusted), or all that was touched between what may stand and the target (redo)
    tighten       what became private is closed to others first
    clear         what is not wanted where it stands: survivors go to .hikae/m, the dead are removed
    place         every wanted name: moved back from .hikae/m, linked, or built from chunks
    refresh       objects that stay and changed: content and metadata
    sweep         what is left in .hikae/m: put where it belongs, or removed; then directory metadata

``survey`` is the other way to the same end, when no difference can be believed (a broken lineage, lost local facts): the
whole tree, directory by directory, adopting what already equals. ``verify`` compares and changes nothing.

From the top: ``loop`` is the thread. ``applier`` knows the standby: its root (``standby_root``), whether a commit passes by
itself (``holds`` over ``brake``), run and verify. ``converger`` makes any root equal to any commit and knows no standby;
``checkpoint`` says how far a root is and what of it is believed. ``converge`` has the phases; ``run`` is what one run knows: what
is wanted, what stands, the tally. ``output`` is the seam to what is written into, and the ledger object ↔ handle; ``writing``
puts content into files.
"""
