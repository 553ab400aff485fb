"""The verbs of the command line, one group a module, imported when called."""
