"""What an effect tells the person who waits, if there is one."""

from dokku_registryd import ports
from dokku_registryd.core.hook import replies
from dokku_registryd.core.job import jobs


class ReplyWriter:
    """Writes the reply of one job, in the words of Dokku's own plugin.

    Args:
        replies_port: Where replies go.
        job_id: The job that is answered; empty for nobody.
    """

    def __init__(self, replies_port: ports.Replies, job_id: str) -> None:
        self._replies = replies_port
        self._job_id = job_id

    def headline(self, text: str) -> None:
        """Name the step that begins."""
        self._write(replies.Line.HEADLINE, text)

    def detail(self, text: str) -> None:
        """Say what happens inside the step."""
        self._write(replies.Line.DETAIL, text)

    def output(self, text: str) -> None:
        """Pass on what the Engine says; an empty text is nothing to be passed on."""
        if text:
            self._write(replies.Line.OUTPUT, text)

    def warning(self, text: str) -> None:
        """Say what somebody should act on."""
        self._write(replies.Line.WARNING, text)

    def deadline(self, seconds: float) -> None:
        """Say how long to wait from now on, at most; a later word only adds to it."""
        self._write(replies.Line.DEADLINE, str(max(0, round(seconds))))

    def finish(self, *, status: int) -> None:
        """End the reply with the exit status of whoever waits."""
        self._write(replies.Line.EXIT, str(status))

    def _write(self, kind: replies.Line, text: str) -> None:
        if self._job_id:
            self._replies.write(self._job_id, kind, text)


def for_job(replies_port: ports.Replies, job: jobs.Job) -> ReplyWriter:
    """Return the voice that answers a job; it says nothing where nobody listens."""
    return ReplyWriter(replies_port, job.job_id if job.is_awaited else "")
