"""Loop devices that go with who holds them, who writes to devices, and the end of mounts."""
