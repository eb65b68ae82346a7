"""Who is primary: epochs, whose they are, and what a node may begin."""
