"""The Docker Engine's texts as values: events, listings, streams, relay requests."""
