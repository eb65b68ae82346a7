"""Commands that change who serves: promote, switchover, rejoin, serve, fence."""
