"""One run of a converge: what is wanted, what stands, the tally, the changed keys. The phases of ``converge`` work on it."""
