"""What is done in steps that must survive a crash, and programs of the operator's that are run on the way.

``runner`` runs a table of named steps and keeps a durable record before and after each; ``record`` is that record, a file;
``hooks`` runs one program, bounded in time and words; ``session`` ends what it leaves behind. Steps know nothing of what they
are used for.
"""
