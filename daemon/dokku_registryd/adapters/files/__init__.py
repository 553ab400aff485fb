"""Files and folders, opened so that a swapped link has no effect. For adapters."""
