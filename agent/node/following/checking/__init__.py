"""Chunks of a vault that are read and checked: by schedule in shares, or as it was asked for; and what is known of them."""
