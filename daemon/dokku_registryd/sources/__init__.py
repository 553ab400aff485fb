"""How we hear that something may have changed. A source decides nothing."""
