"""What a pump is made of, whatever it captures: its thread, what other threads ask of it, and the pruning of history."""
