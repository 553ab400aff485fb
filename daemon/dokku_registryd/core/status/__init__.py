"""What the service tells of itself: health, metrics, log events, findings."""
