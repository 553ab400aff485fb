"""The registry protocol over HTTP. From outside: `client`, and for doctor its facts.

`client` is the door; `manifests`, `tag_pages`, `tagging`, `referring`, `removing`,
`uploads` and `downloads` ask and judge, `dialogue` adds login and redirects, and
`transport` exchanges.
"""
