"""Decisions and values. Nothing here reads a clock, a file, a socket or a log.

Whatever can be tested with values alone belongs here; import-linter keeps it so.
"""
