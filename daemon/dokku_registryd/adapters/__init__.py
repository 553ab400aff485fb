"""The outside world, one library or format a module, its errors translated here."""
