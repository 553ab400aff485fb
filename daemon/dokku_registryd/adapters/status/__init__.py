"""The status socket: its server and its client."""
