"""What can go wrong, sorted by one question: will another attempt help?

Adapters translate foreign errors into these at the edge, with the cause chained.
Everything above them asks only `TransientError` or `PermanentError`. A message says
what failed, on what, why, and what to do; it never holds a secret.
"""


class RegistrydError(Exception):
    """Something failed in a way that we understand."""


class ConfigurationError(RegistrydError):
    """A settings file or variable is wrong. Correct it, then start again."""


class InvalidReferenceError(RegistrydError):
    """A text is no image reference. Correct the property it came from."""


class TransientError(RegistrydError):
    """Another attempt may succeed; nobody needs to act yet.

    Args:
        message: What failed, on what, and why.
        retry_after: Seconds that the other side asked us to wait, if it did.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineUnavailableError(TransientError):
    """The Docker Engine does not answer. Check `systemctl status docker`."""


class ExhaustedError(TransientError):
    """The host lacks threads, memory, descriptors or space. Make room, raise limits."""


class DefectError(TransientError):
    """Something unforeseen broke an attempt; another one may do. Please report it."""


class RegistryUnavailableError(TransientError):
    """The registry does not answer, or answers with a fault of its own."""


class UnreadableError(TransientError):
    """A file that decides something is there and cannot be read. Correct it."""


class MissingFolderError(UnreadableError):
    """A folder is not there, although something of ours says that there was one."""


class RegistryBusyError(RegistryUnavailableError):
    """The registry has no room for requests just now. Wait."""


class HeldBackError(RegistryBusyError):
    """The registry asked for fewer requests, so this one was not sent. Wait."""


class PreemptedError(TransientError):
    """Something more urgent of the same app waits. It is done first."""


class RateLimitedError(TransientError):
    """The registry asks for fewer requests. Wait, or use a paid login.

    Args:
        message: What failed, on what, and why.
        retry_after: Seconds that the registry asked us to wait, if it did.
        is_of_reading: Whether it refused a read, which says nothing of pushes.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        is_of_reading: bool = False,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.is_of_reading = is_of_reading


class PermanentError(RegistrydError):
    """Nothing changes until someone acts.

    Args:
        message: What failed, on what, and why.
        status: What a registry answered over HTTP; 0 if it is no answer of a registry
            to the question itself, but of a login, an address, a certificate.
    """

    def __init__(self, message: str = "", *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class CancelledError(PermanentError):
    """Nobody waits for it any more. Deploy again if that was not meant."""


class AuthenticationError(PermanentError):
    """The registry refuses the login. Run `dokku registry:login` again."""


class AccessDeniedError(PermanentError):
    """The login is good, but not allowed to do this. Grant it in the registry."""


class QuotaExceededError(PermanentError):
    """The registry has no room left for a login. Delete images there, or pay."""


class ImageNotFoundError(PermanentError):
    """The image or manifest is not there. Rebuild the app with `dokku ps:rebuild`."""


class TagImmutableError(PermanentError):
    """The registry refuses to move a tag that exists. Allow it, or use another tag."""


class ForeignManifestError(PermanentError):
    """Something is there that is no image as Engines push them. Use another tag."""


class DigestMismatchError(PermanentError):
    """What the registry holds is not what was sent. Find out who else pushes there."""


class InvalidRequestError(PermanentError):
    """The other side calls our request malformed. Check server and repository."""


class InvalidTriggerError(RegistrydError):
    """A trigger file is not one of ours. Read its reason in the folder `rejected`."""


class LedgerError(RegistrydError):
    """The ledger cannot be used. Check the disk that holds the data folder."""


class SpoolBusyError(RegistrydError):
    """Another process works this spool. Stop it, or use a data folder of its own."""
