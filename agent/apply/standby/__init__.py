"""Which directory is the standby, of what time it is, and what is remembered of it."""
