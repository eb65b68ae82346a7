"""What is done in steps that must survive a crash, and programs of the operator's that are run on the way.

``runner`` runs a table of named steps and keeps a durable record before and after each; ``record`` is that record, a file;
``hooks`` runs one program, bounded in time and words; ``session`` ends what it leaves behind; ``transient`` and ``attended`` run
it in a unit of its own, where ``attendant`` (a file of its own) keeps its deadline. Steps know nothing of what they
are used for.
"""
