"""Loop devices that go with who holds them, and the end of mounts."""
