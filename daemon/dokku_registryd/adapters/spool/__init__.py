"""The folders that are shared with the hooks: triggers, their lock, replies."""
