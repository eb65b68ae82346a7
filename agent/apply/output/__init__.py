"""What a converge writes into, and what is known of what stands there."""
