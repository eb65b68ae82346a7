"""A node that was the primary, or received what the new primary did not, becomes a standby of the new primary.

What it alone has becomes a commit of its own and a generation first; then its record says what it is, and the new primary's next
call brings it on from the newest commit that both know.
"""
