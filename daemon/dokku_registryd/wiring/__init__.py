"""Builds adapters from settings: what a verb imports here is all that it loads.

`app` puts the whole service together; a verb that needs one part takes that part.
"""
