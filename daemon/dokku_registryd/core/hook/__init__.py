"""The two text formats that are shared with the hooks' shell: triggers and replies."""
