"""What of history goes: rows that no moment sees, commits that nobody keeps, and all but one a second."""
