"""A standby's tree that was already there when hikae came (``adopt = true``): what stands in it need not travel.

::

    tree ──index──▶ places (chunk name → file, offset) ◀── Vault.missing, Vault.read
                      │
                      ├── applier: before it changes a file, what is relied on is copied into the packs
                      └── seeding: step by step, all that is relied on is copied; then the places are forgotten

A chunk is *relied on* once the receiver has answered that it is here. It is believed only when its name comes out right; what a
stranger changed meanwhile is asked of the primary again.
"""
