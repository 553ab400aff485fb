"""Puts manifests with a subject, and lists those of a manifest.

OCI distribution specification 1.1, "Pushing Manifests with Subject" and "Listing
Referrers". Only the first page of a list is read: a release has a record for each host.
"""

from dataclasses import replace
from http import HTTPStatus

from dokku_registryd import errors
from dokku_registryd.adapters.registry import dialogue, messages
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import protocol, referrers
from dokku_registryd.core.registry.referrers import Descriptor

# Registries without this API answer one of these.
_UNKNOWN = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_IMPLEMENTED,
)


class Referring:
    """Knows the referrers of manifests. Thread-safe.

    Args:
        talk: Sends the requests.
    """

    def __init__(self, talk: dialogue.Dialogue) -> None:
        self._dialogue = talk

    def put(
        self,
        image: reference.ImageReference,
        manifest: images.Manifest,
        *,
        auth: AuthConfig | None,
    ) -> bool:
        """Put a manifest under its digest.

        Returns:
            Whether the registry keeps the list of its subject.
        """
        target = image.with_digest(manifest.digest)
        request, access = messages.build_request("PUT", target, auth, "put")
        reply = self._dialogue.ask(
            replace(
                request,
                headers={"content-type": manifest.media_type},
                body=manifest.body,
            ),
            access,
        )
        stated = reply.headers.get(referrers.SUBJECT_HEADER, "")
        return protocol.parse_digest(stated) is not None

    def listed(
        self,
        image: reference.ImageReference,
        artifact_type: str,
        *,
        auth: AuthConfig | None,
    ) -> list[Descriptor] | None:
        """Return the artifacts of a manifest; None if the registry has no such API.

        Raises:
            UnusableAnswerError: The answer is not a list.
        """
        request, access = messages.build_request(
            "GET", image, auth, "list the referrers of"
        )
        url = request.url.replace("/manifests/", "/referrers/")
        kind = artifact_type.replace("+", "%2B")
        reply = self._dialogue.ask(
            replace(
                request,
                url=f"{url}?artifactType={kind}",
                headers={"accept": referrers.INDEX_TYPE},
            ),
            access,
            *_UNKNOWN,
        )
        if reply.status in _UNKNOWN or messages.is_page(reply):
            return None
        if not referrers.is_list(reply.body):
            raise errors.UnusableAnswerError(
                f"cannot {request.purpose}: {access.host} answers without a list"
            )
        return referrers.parse(reply.body, artifact_type)
