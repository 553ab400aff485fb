"""What to do about a registry that removes nothing through its registry API.

docs/registries.md names the sources.
"""

from typing import Final

from dokku_registryd.core.image import reference

_OF_HUB: Final = "delete tags on hub.docker.com or with its own API"
_BY_DOMAIN: Final = {
    reference.DOCKER_HUB: _OF_HUB,
    "ghcr.io": (
        "delete versions of the package on GitHub, such as with its action"
        " delete-package-versions"
    ),
    "public.ecr.aws": "delete images with aws ecr-public batch-delete-image",
}
_BY_ENDING: Final = (
    (".amazonaws.com", "set a lifecycle policy for the repository in ECR"),
    ("quay.io", "set an auto-prune policy in Quay"),
    ("registry.digitalocean.com", "delete tags with doctl, then collect garbage"),
)
_OTHERS: Final = (
    "allow removal there (plain distribution: storage.delete.enabled), or remove"
    " numbers with the registry's own means"
)


def cannot(domain: str, tag: str, digest: str) -> str:
    """Return why nothing is removed, and what to do instead.

    Args:
        domain: The registry.
        tag: Why it removes no tags.
        digest: Why it removes no digests.
    """
    said = digest if digest == tag or not tag else f"{tag}; by digest: {digest}"
    return f"{domain} removes nothing ({said}). Instead {advice(domain)}"


def advice(domain: str) -> str:
    """Return what to do, without a full stop."""
    host = reference.normalize_domain(domain)
    if host in _BY_DOMAIN:
        return _BY_DOMAIN[host]
    for ending, text in _BY_ENDING:
        if host.endswith(ending):
            return text
    return _OTHERS


def is_known_unable(domain: str) -> bool:
    """Return whether a registry removes nothing, so that it need not be asked."""
    return reference.normalize_domain(domain) == reference.DOCKER_HUB


def instead(domain: str) -> str:
    """Return why a registry that is known to remove nothing is not asked."""
    return (
        f"{domain} removes nothing through its registry API. Instead {advice(domain)}"
    )
