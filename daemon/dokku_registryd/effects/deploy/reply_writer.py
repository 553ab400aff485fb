"""Writes the reply of a job to the waiting hook, if there is one."""

from dokku_registryd import ports
from dokku_registryd.core.hook import replies
from dokku_registryd.core.job import jobs


class ReplyWriter:
    """Writes the reply of one job, with the texts of Dokku's own plugin.

    Args:
        replies_port: The replies.
        job_id: The job; empty if no hook waits for it.
    """

    def __init__(self, replies_port: ports.Replies, job_id: str) -> None:
        self._replies = replies_port
        self._job_id = job_id

    def headline(self, text: str) -> None:
        """Write the name of the step that begins."""
        self._write(replies.Line.HEADLINE, text)

    def detail(self, text: str) -> None:
        """Write a detail of the step."""
        self._write(replies.Line.DETAIL, text)

    def output(self, text: str) -> None:
        """Write output of the Engine; ignore an empty text."""
        if text:
            self._write(replies.Line.OUTPUT, text)

    def warning(self, text: str) -> None:
        """Write a warning for the user."""
        self._write(replies.Line.WARNING, text)

    def deadline(self, seconds: float) -> None:
        """Extend the hook's deadline to so many seconds from now, if that is later."""
        self._write(replies.Line.DEADLINE, str(max(0, round(seconds))))

    def finish(self, *, status: int) -> None:
        """End the reply with the exit status of the hook."""
        self._write(replies.Line.EXIT, str(status))

    def _write(self, kind: replies.Line, text: str) -> None:
        if self._job_id:
            self._replies.write(self._job_id, kind, text)


def for_job(replies_port: ports.Replies, job: jobs.Job) -> ReplyWriter:
    """Return the writer that answers a job; it writes nothing if no hook waits."""
    return ReplyWriter(replies_port, job.job_id if job.is_awaited else "")
