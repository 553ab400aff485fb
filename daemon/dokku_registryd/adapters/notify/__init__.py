"""The ways to operators and to other plugins."""
