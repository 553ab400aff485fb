"""Effects: one verb a module, through ports only.

Every effect reads the current state before it acts, so running it twice is harmless.
"""
