"""Jobs: what they are, which may start, and what follows from an attempt.

`kinds` holds one row of rules for each kind; the other modules read those rows.
"""
