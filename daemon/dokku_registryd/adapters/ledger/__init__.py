"""The ledger in SQLite. From outside only `ledger`, and `peek` for a quick look."""
