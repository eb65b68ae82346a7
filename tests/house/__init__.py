"""How the house reads, measured and checked from its source: ``python -m house``."""
