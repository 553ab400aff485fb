"""Registries: what they answer, what a refusal means, and how a host may be reached.

`refusals` is the one table of answers, for every request that is sent.
"""
