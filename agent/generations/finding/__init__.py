"""What stood where, and when: paths by name or pattern over all moments that can be read."""
