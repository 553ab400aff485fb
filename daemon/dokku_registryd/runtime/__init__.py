"""The runtime: threads, signals, retries, and the order of jobs."""
