"""Detects that a deploy of Dokku has ended, even if no hook reported it.

Dokku fires no trigger for a failed deploy. So while a deploy has a reply, each turn of
the main loop checks Dokku's record of it.
"""

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects.deploy import deploy_ends
from dokku_registryd.runtime import execution, intake


class DeployWatch:
    """Requests the job that settles a deploy once it has ended.

    Args:
        executor: The state of the host.
        jobs_intake: Accepts the job.
    """

    def __init__(
        self, executor: execution.Executor, jobs_intake: intake.Intake
    ) -> None:
        self._executor = executor
        self._intake = jobs_intake

    def check(self) -> None:
        """Check the deploys that have a reply.

        Raises:
            LedgerError: The job cannot be recorded.
        """
        context = self._executor.context
        try:
            apps = context.deploying.apps()
        except errors.TransientError as error:
            structlog.get_logger().debug("sweep.requested", reason=str(error))
            return
        for app in apps:
            if _has_ended(app, context):
                settle = triggers.Trigger(kind=Kind.SETTLE, app=app)
                self._intake.submit(settle)


def _has_ended(app: str, context: ports.Context) -> bool:
    """Return whether a deploy of an app has ended; False if unknown."""
    try:
        told = context.deploying.told(app)
        return any(deploy_ends.has_ended(app, build, told, context) for build in told)
    except errors.TransientError as error:
        # `doctor` names the file; other apps are not affected.
        structlog.get_logger().debug("sweep.requested", reason=str(error))
        return False
