"""Texts that others write: cut, cleaned and parsed before anything uses them."""
