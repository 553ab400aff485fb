"""The host: its processes, programs, clocks, systemd, and what is installed on it."""
