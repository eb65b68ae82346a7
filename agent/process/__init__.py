"""The process: signals, the service manager, memory, and an end that always comes."""
