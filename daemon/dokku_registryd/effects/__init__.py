"""What we do, one verb a module, through ports only.

Every effect reads the world again before it acts, so doing it twice is harmless.
"""
