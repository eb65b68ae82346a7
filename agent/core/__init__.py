"""The vocabulary: pure values without input or output, which every other package speaks.

``ids`` numbers, ``rows`` objects and names as canonical bytes, ``chunks`` content as a list of
named runs, ``patch`` a chunk as ranges of others and the bytes that differ, ``commit`` what is
applied as a whole, ``digest`` the proof that two catalogs are equal, ``errors`` and ``problem``
what went wrong (a run, a path), ``clock`` time as an argument.
"""
