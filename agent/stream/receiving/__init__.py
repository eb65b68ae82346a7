"""The answering side of a call: what comes in is checked, made durable, sealed."""
