"""Hooks that come with hikae, for ``hikae hook …``: an address that moves (``address``), systemd's units (``units``), mounts and
read-only views (``mounts``). Each is idempotent: what is so already is done. ``running`` executes the machine's own programs."""
