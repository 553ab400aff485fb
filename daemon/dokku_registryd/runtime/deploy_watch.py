"""Notices that a deploy of Dokku has ended, also where no hook could say so.

Dokku fires no trigger for a deploy that fails. So while a deploy was told of a release,
each turn of the main loop looks at Dokku's record of it.
"""

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects.deploy import deploy_ends
from dokku_registryd.runtime import execution, intake


class DeployWatch:
    """Asks for the job that settles a deploy once it has ended.

    Args:
        executor: Where deploys are looked up.
        jobs_intake: Where the job is asked for.
    """

    def __init__(
        self, executor: execution.Executor, jobs_intake: intake.Intake
    ) -> None:
        self._executor = executor
        self._intake = jobs_intake

    def check(self) -> None:
        """Look at the deploys that were told of a release.

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
    """Tell whether a deploy of an app has ended; False where that cannot be told."""
    try:
        told = context.deploying.told(app)
        return any(deploy_ends.has_ended(app, build, told, context) for build in told)
    except errors.TransientError as error:
        # `doctor` names the file, and no other app waits for it.
        structlog.get_logger().debug("sweep.requested", reason=str(error))
        return False
