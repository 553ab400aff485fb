"""Sources of hints that something may have changed. A source decides nothing."""
