"""What we know and what we hold: the catalog, the local facts, and the vault of one dataset.

::

    catalog   objects and names through time, commits, epochs        catalog.db   synchronous FULL
      ├─ reader     one key at one moment                            any thread, own connection
      ├─ history    whole states and the difference of two
      ├─ kept       which moments can be read, and who keeps them
      ├─ expiry     rows that no such moment sees go, in slices
      └─ staging    the rows of the commit that is being built, its digest and counts
    local     handles, ctimes, prints: this machine's own facts      local.db     losing it loses time only
      └─ doubt      which of them hold beside this catalog
    vault     chunks by name                                         packs/, index.db
      ├─ codec      one chunk opened and packed
      ├─ patch_chains  chunks that lie as patches of others: how deep, and how they are read
      ├─ pack       append-only records
      ├─ pins       who relies on which chunks
      ├─ beside     the same read by another process, while packs are replaced
      └─ index      name → place, rebuilt from the packs
    collection  chunks that nothing names any more leave the vault
      ├─ doomed      which those are (marks: names in bounded memory)
      └─ compaction  packs of which much is dead are written anew
    known     which chunk names may have been captured here          local.known      losing it costs a question
    pages     digests of large files' pages                          local.pages.db   losing it costs a transfer
    sqlite    how every database here is opened, and what its errors mean

A chunk is durable in a pack before the commit that names it is durable in the catalog (law 1):
``Vault.sync`` gives the ``PackEnd`` that ``Catalog.seal`` stores with the commit, and what lies behind it at the next
start is cut.
"""
