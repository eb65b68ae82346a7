"""The brake: whether what stands between two commits may be applied without a person's word (law 8)."""
