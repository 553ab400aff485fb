"""The imperative shell: threads, signals, retries, and the order of jobs."""
