"""The primary's side of a call: rounds, live commits, pace and forecast."""
