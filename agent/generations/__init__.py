"""History: which moments are kept and how they are named, taken, found, brought back, mounted and verified."""
