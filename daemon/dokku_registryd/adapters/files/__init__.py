"""Files and folders that nobody can swap for links. Used by the other adapters."""
