"""Decisions and values. Nothing here accesses a clock, a file, a socket or a log.

Code that can be tested with values alone belongs here; import-linter enforces it.
"""
