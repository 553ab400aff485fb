"""Verbs that change what is installed or known on this host."""
