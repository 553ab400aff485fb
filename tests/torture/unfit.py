"""Why a fault does not begin."""


class UnfitError(Exception):
    """The host is in no state for it; later it may be."""
