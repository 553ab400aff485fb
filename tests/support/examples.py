"""How many examples property tests try: few in each run, many when they are asked to.

`HYPOTHESIS_PROFILE=full` has each try as many as it names.
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings

_QUICK: Final = "quick"
_FULL: Final = "full"
_PART: Final = 10
_LEAST: Final = 10

_PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE") or _QUICK


def load_profile() -> None:
    """Let tests without a number of their own try as many as the profile says.

    None fails because a machine is slow.
    """
    patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(_QUICK, patient, max_examples=25)
    settings.register_profile(_FULL, patient, max_examples=100)
    settings.load_profile(_PROFILE)


def are_all_wanted() -> bool:
    """Return whether every repetition is asked for."""
    return _PROFILE == _FULL


def number_of(full: int) -> int:
    """Return how many examples a test tries that tries `full` when it is asked to."""
    return full if are_all_wanted() else max(_LEAST, full // _PART)
