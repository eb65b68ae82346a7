"""Is the standby what the catalog says? Looked at in slices, between which the applier goes on; nothing is changed."""
