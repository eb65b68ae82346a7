"""What lies between two moments, as people name it: added, changed, moved, deleted."""
