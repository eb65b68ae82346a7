"""The command line: words for people on stderr, answers on stdout, exit codes that scripts can trust.

``main`` finds the command and maps errors; ``context`` finds the agent; ``output`` shows; the ``*_command(s)`` modules
hold the commands and are imported only when one of theirs is used: ``hikae status`` starts without gRPC or SQLite.
"""
