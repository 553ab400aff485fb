"""Steps that verbs share and that ask or change a registry."""
