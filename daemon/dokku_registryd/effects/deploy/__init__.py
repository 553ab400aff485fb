"""Steps that verbs share and that concern a deploy: questions, end, reply."""
