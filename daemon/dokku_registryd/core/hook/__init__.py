"""The text formats that are shared with the hooks' shell."""
