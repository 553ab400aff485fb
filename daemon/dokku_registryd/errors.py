"""Errors, sorted by one question: may another attempt succeed?

Adapters translate foreign errors to these, with the cause chained. All other code only
distinguishes `TransientError` and `PermanentError`. A message says what failed, on
what, why, and what to do; it never contains a secret.
"""


class RegistrydError(Exception):
    """An expected failure."""


class ConfigurationError(RegistrydError):
    """A settings file or variable is wrong. Correct it, then start again."""


class InvalidReferenceError(RegistrydError):
    """A text is not an image reference. Correct the property it came from."""


class TransientError(RegistrydError):
    """Another attempt may succeed; no action is required yet.

    Args:
        message: What failed, on what, and why.
        retry_after: Seconds to wait that the other side asked for, if it did.
    """

    final_after: int = 0
    """After how many such attempts in a row it is permanent for a deploy or user that
    waits; 0 means never. All other jobs are retried all the same."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineUnavailableError(TransientError):
    """The Docker Engine does not answer. Check `systemctl status docker`."""


class EngineForbiddenError(EngineUnavailableError):
    """This user may not use the Docker Engine's socket. Grant it."""

    final_after: int = 1


class ExhaustedError(TransientError):
    """The host is out of threads, memory, descriptors or space. Free some of it."""


class DefectError(TransientError):
    """A bug broke an attempt; another one may succeed. Please report it."""


class RegistryUnavailableError(TransientError):
    """The registry does not answer, or answers with a server error."""


class UnresolvedHostError(RegistryUnavailableError):
    """The name that the operator gave a registry cannot be resolved, or not now."""


class UnknownHostError(UnresolvedHostError):
    """The registry's name does not exist. Check the property `server`.

    A resolver that has just lost its network may say so too, so it counts only if it
    repeats: attempts are at least `APART_SECONDS` apart.
    """

    APART_SECONDS: float = 60.0
    final_after: int = 3

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after=self.APART_SECONDS)


class SendAgainError(RegistryUnavailableError):
    """An upload cannot be continued; only the Engine still has its first bytes.

    Args:
        reason: What the upload ended with.
    """

    def __init__(self, reason: RegistrydError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class UnreadableError(TransientError):
    """A required file exists but cannot be read. Correct it."""


class MissingFolderError(UnreadableError):
    """A required folder is missing although there must have been one."""


class UnusableAnswerError(RegistryUnavailableError):
    """The registry answers one request with something else. Ask its operator."""


class RegistryBusyError(RegistryUnavailableError):
    """The registry is overloaded. Wait."""


class HeldBackError(RegistryBusyError):
    """The registry asked for fewer requests, so this one was not sent. Wait."""


class IncompleteImageError(TransientError):
    """The registry returned a manifest but not all of its parts. Push it again."""


class PreemptedError(TransientError):
    """A more urgent job of the same app is waiting. It runs first."""


class RateLimitedError(TransientError):
    """The registry asks for fewer requests. Wait, or use a paid login.

    Args:
        message: What failed, on what, and why.
        retry_after: Seconds to wait that the registry asked for, if it did.
        is_of_reading: Whether it refused a read, which says nothing about pushes.
        is_quota: Whether a quota of hours is used up, so that no second helps.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        is_of_reading: bool = False,
        is_quota: bool = False,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.is_of_reading = is_of_reading
        self.is_quota = is_quota


class PermanentError(RegistrydError):
    """Another attempt will not succeed until the operator acts.

    Args:
        message: What failed, on what, and why.
        status: The registry's HTTP status; 0 if the refusal does not come from the
            registry's answer to the request, but concerns login, address, certificate.
    """

    def __init__(self, message: str = "", *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class CancelledError(PermanentError):
    """The deploy that waited for it has ended. Deploy again if that was unintended."""


class AuthenticationError(PermanentError):
    """The registry refuses the login. Run `dokku registry:login` again."""


class AccessDeniedError(PermanentError):
    """The login is valid, but not allowed to do this. Grant it in the registry."""


class QuotaExceededError(PermanentError):
    """The registry has no space left for a login. Delete images there, or pay."""


class ImageNotFoundError(PermanentError):
    """The image or manifest is missing. Rebuild the app with `dokku ps:rebuild`."""


class TagImmutableError(PermanentError):
    """The registry refuses to move a tag that exists. Allow it, or use another tag."""


class ForeignManifestError(PermanentError):
    """The tag has a manifest that Engines do not push. Use another tag."""


class DigestMismatchError(PermanentError):
    """The registry's image is not the pushed one. Find out who else pushes there."""


class InvalidRequestError(PermanentError):
    """The other side rejects our request as malformed. Check server and repository."""


class InvalidTriggerError(RegistrydError):
    """A trigger file is invalid. Read its reason in the folder `rejected`."""


class ClosedFolderError(RegistrydError):
    """This user may not read a folder of ours. Run the command as root or dokku."""


class LedgerError(RegistrydError):
    """The ledger cannot be used. Check the disk of the data folder."""


class SpoolBusyError(RegistrydError):
    """Another process owns this spool. Stop it, or use another data folder."""
