"""Orders that change what Dokku runs without a push of ours.

They only take their place in the order of an app's jobs: what was accepted before them
commits nothing afterwards.
"""

from dokku_registryd import ports
from dokku_registryd.core import jobs, outcomes
from dokku_registryd.effects import voice


def perform_local(
    job: jobs.Job,  # noqa: ARG001 - effects share one signature
    world: ports.World,  # noqa: ARG001 - effects share one signature
    says: voice.Voice,  # noqa: ARG001 - effects share one signature
) -> outcomes.Outcome:
    """Note that an app was released with push off."""
    return outcomes.done("released without a push")


def perform_cancelled(
    job: jobs.Job,
    world: ports.World,  # noqa: ARG001 - effects share one signature
    says: voice.Voice,  # noqa: ARG001 - effects share one signature
) -> outcomes.Outcome:
    """Note that the deploy that waited for a release was broken off."""
    return outcomes.done(f"release {job.trigger.job} was cancelled")
