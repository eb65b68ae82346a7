"""One converge: a directory is made equal to a commit, phase by phase."""
