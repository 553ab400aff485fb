"""Steps that verbs share and that read what one app is and needs."""
