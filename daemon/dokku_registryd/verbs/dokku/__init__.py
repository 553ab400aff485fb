"""Commands that Dokku calls: `registry:*` and `registryd:*`."""
