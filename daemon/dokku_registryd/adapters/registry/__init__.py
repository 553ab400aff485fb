"""The registry protocol over HTTP. From outside: `client`, and for doctor its facts.

`client` asks and judges, `dialogue` adds login and redirects, `transport` exchanges.
"""
