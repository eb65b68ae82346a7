"""Commit → standby: make a real directory equal to a commit (law 3).

One algorithm, *converge*, serves live commits, the redo after a crash and the first sync. It works on a set of keys and on
what stands on the disk, never on a list of operations::

    workset   which keys: the net difference (trusted), or all that was touched since the checkpoint (redo)
    tighten   what became private is closed to others first
    clear     what is not wanted where it stands: survivors go to .hikae/m, the dead are removed
    place     every wanted name: moved back from .hikae/m, linked, or built from chunks
    refresh   objects that stay and changed: content and metadata
    sweep     what is left in .hikae/m: put where it belongs, or removed; then directory metadata

``survey`` is the other way to the same end, when no difference can be believed (a broken lineage, lost local facts): the
whole tree, directory by directory, adopting what already equals. ``verify`` compares and changes nothing.

    ports      what is asked of catalog and local facts       ledger    object ↔ handle, batched
    world      descriptors, probing, our private directory     holding   .hikae/m and .hikae/displaced
    content    building, comparing and mending one file        patch     pure: what differs between two chunk lists
    mirror     one run's world, rows and results together      brake     pure: may this commit be applied by itself?
    applier    roots, holds, checkpoints                       loop      the thread
"""
