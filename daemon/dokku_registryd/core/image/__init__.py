"""Images and their names: references, and which of them a host must have."""
