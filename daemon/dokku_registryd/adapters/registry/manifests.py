"""Reads, puts and deletes manifests, and asks for their digests.

Sources as in `client`. Manifests are passed on as unchanged bytes, because their digest
is their name.
"""

from dataclasses import replace
from http import HTTPStatus

from dokku_registryd import errors
from dokku_registryd.adapters.registry import dialogue, messages
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import protocol
from dokku_registryd.core.registry.protocol import Reply


class Manifests:
    """Knows the manifests of repositories. Thread-safe.

    Args:
        talk: Sends the requests.
    """

    def __init__(self, talk: dialogue.Dialogue) -> None:
        self._dialogue = talk

    def digest(
        self,
        image: reference.ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> str | None:
        """Return the digest of a tag or manifest; None if there is no such one.

        OCI specification, "Checking if content exists in the registry". HEAD only
        proves existence. If it does not, or states no digest of a tag (the header is
        optional), the manifest is fetched and hashed with a second request.
        """
        request, access = messages.build_request(
            "HEAD", image, auth, "look up", for_push=for_push
        )
        reply = self._dialogue.ask(request, access, *messages.UNPROVED)
        stated = protocol.parse_digest(reply.headers.get(messages.DIGEST_HEADER, ""))
        if stated is not None and reply.status == HTTPStatus.OK:
            return stated
        is_there = reply.status == HTTPStatus.OK and not messages.is_page(reply)
        if image.digest and is_there:
            return image.digest  # Of a pull a registry may count the second request.
        try:
            found = self.get(image, auth=auth, for_push=for_push)
        except errors.RateLimitedError:
            # A limit on pulls does not apply to HEAD (Docker Hub); then it is used.
            if reply.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return None if found is None else found.digest

    def get(
        self,
        image: reference.ImageReference,
        *,
        auth: AuthConfig | None,
        for_push: bool = False,
    ) -> images.Manifest | None:
        """Return a manifest or index as unchanged bytes; None if it is missing.

        OCI specification, "Pulling manifests".

        Raises:
            DigestMismatchError: The bytes have another digest than requested.
            ForeignManifestError: It is a manifest of another kind.
        """
        request, access = messages.build_request(
            "GET", image, auth, "read the manifest of", for_push=for_push
        )
        reply = self._dialogue.find(request, access)
        if reply is None:
            return None
        messages.check_digest(request.purpose, image.digest, reply.body)
        kind = protocol.media_type(reply.headers.get("content-type", ""), reply.body)
        if kind is None:
            # A manifest of schema 1 has the digest of its bytes without signatures.
            raise _foreign(request.purpose, reply)
        stated = protocol.parse_digest(reply.headers.get(messages.DIGEST_HEADER, ""))
        messages.check_digest(request.purpose, stated or "", reply.body)
        return images.Manifest(media_type=kind, body=reply.body)

    def put(
        self,
        image: reference.ImageReference,
        manifest: images.Manifest,
        *,
        auth: AuthConfig | None,
    ) -> str:
        """Put a manifest under a tag, and return the digest that the registry states.

        OCI specification, "Pushing Manifests": the media type is that of the manifest.
        An answer of 201 or with a digest shows that it was stored; Engines require the
        digest.

        Raises:
            PermanentError: It is another success, such as a login page.
        """
        request, access = messages.build_request("PUT", image, auth, "put")
        request = replace(
            request,
            headers={"content-type": manifest.media_type},
            body=manifest.body,
        )
        reply = self._dialogue.ask(request, access)
        stated = protocol.parse_digest(reply.headers.get(messages.DIGEST_HEADER, ""))
        if stated is None and reply.status != HTTPStatus.CREATED:
            raise errors.PermanentError(
                f"cannot {request.purpose}: the answer is {reply.status} without a"
                " digest, so the registry stored nothing. If the answer is a login"
                " page, make the registry reachable without it"
            )
        return stated or manifest.digest

    def delete(
        self, image: reference.ImageReference, *, auth: AuthConfig | None
    ) -> None:
        """Delete a manifest by its digest, and with it every tag of it.

        OCI specification, "Deleting Manifests"; registries refuse to delete by tag.
        A missing one is fine.
        """
        if not image.digest:
            raise errors.InvalidRequestError(
                f"cannot delete {image.canonical}: a manifest is deleted by its digest"
            )
        request, access = messages.build_request("DELETE", image, auth, "delete")
        self._dialogue.find(request, access)


def _foreign(purpose: str, reply: Reply) -> errors.PermanentError:
    """Return the error for an answer that is not a supported manifest.

    The tag may have a manifest of schema 1 or an OCI artifact; a page of a proxy in
    front of the registry (single sign-on) says nothing about the tag.
    """
    if "schemaVersion" in protocol.load_object(reply.body):
        return errors.ForeignManifestError(
            f"cannot {purpose}: it is not a manifest of Docker's schema 2 or of OCI."
            " Push the image again with a current Docker Engine"
        )
    stated = reply.headers.get("content-type", "")
    what = protocol.clean(stated.partition(";")[0]) or "something else"
    return errors.PermanentError(
        f"cannot {purpose}: the answer is not a manifest, but {what}. If it is a login"
        " page, make the registry reachable without it",
        status=reply.status,
    )
