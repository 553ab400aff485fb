"""Thirteen kinds of registry: what a client sees of the ways in which they differ.

Each kind is a value; `played_registry` plays it in front of a real registry. What is
not stated is as in distribution. A fact has its source beside it: a report on GitHub
(`OWNER/REPOSITORY#NUMBER`), the source of a registry, or a page that
`docs/registries.md` names in brackets.
"""

from dataclasses import dataclass
from typing import Final, Literal

from support.front import Answer, error

LOG_IN: Final = "Log in again with dokku registry:login"
GRANT: Final = "The login is not allowed to do this: grant it in the registry"
CREATE: Final = "create the repository if the registry requires that"
QUOTA: Final = "delete old images there, or raise its quota"
CLOSED: Final = "The registry is in maintenance mode and accepts no pushes"
SHRINK: Final = "raise its limit for request bodies"
IMMUTABLE: Final = "The tag exists and is immutable"

_NO_MANIFEST: Final = error(404, "MANIFEST_UNKNOWN", "manifest unknown")
_NO_NAME: Final = error(404, "NAME_UNKNOWN", "repository name not known to registry")
_WRONG_LOGIN: Final = error(401, "UNAUTHORIZED", "authentication required")
_EXPIRED: Final = "Your authorization token has expired. Reauthenticate and try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A token server."""

    path: str
    service: str = ""
    is_elsewhere: bool = False
    """Whether it is another host than the registry."""
    fields: tuple[str, ...] = ("token",)
    """The names under which its answer has the token."""
    expires_in: int | None = None
    refusal: Answer = _WRONG_LOGIN
    """Its answer to a wrong login."""
    form: Answer | None = None
    """Its answer to the form of OAuth 2; None if it takes that too."""
    dead: Answer | None = None
    """The registry's answer to a token that is over; None is a challenge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A push that the registry refuses."""

    at: Literal["upload", "layer", "number", "tag"]
    """The request: a new upload, its bytes, the manifest's number or an extra tag."""
    answer: Answer
    advice: str
    """What the operator is told."""
    is_passing: bool = False
    """Whether the deploy waits for the end of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryKind:
    """One kind of registry."""

    name: str
    refusal: Refusal
    username: str = "dokku"
    tokens: Tokens | None = None
    """Its token server; None if it takes Basic."""
    expired: Answer = _WRONG_LOGIN
    """The answer to a login that is no longer valid, where there are no tokens."""
    no_repository: Answer = _NO_NAME
    no_tag: Answer = _NO_MANIFEST
    creates: Literal["push", "scope", "never"] = "push"
    """What makes a repository: its first upload, or a token that may push."""
    hides_tags: bool = False
    """Whether HEAD denies the tags that GET returns."""
    no_list: Answer | None = None
    """The answer to who lists tags; None for the list."""
    upload: str = "{scheme}://{host}/v2/{path}/blobs/uploads/{id}?_state={id}"
    """The location of an upload; `{aside}` is another host."""
    immutable: Answer | None = None
    """The answer to another manifest under a number; None if it takes its place."""
    withheld: Answer | None = None
    """The answer to a reader of an image that was not scanned yet."""
    limited: Answer | None = None
    """The answer to a GET of a manifest above the limit of pulls."""
    gives_blobs_elsewhere: bool = False
    """Whether it redirects a reader of a blob to a storage on another host."""


PLAIN: Final = RegistryKind(
    name="plain",
    # distribution with `storage.maintenance.readonly`, as [distribution-gc] wants it.
    refusal=Refusal(
        at="upload",
        answer=Answer(
            status=405,
            body=b"Method not allowed\n",
            headers={"Content-Type": "text/plain; charset=utf-8"},
        ),
        advice=CLOSED,
        is_passing=True,
    ),
)
TOKEN_SERVER: Final = RegistryKind(
    name="token-server",
    # https://distribution.github.io/distribution/spec/auth/token/
    tokens=Tokens(path="/token", service="registry", is_elsewhere=True, expires_in=300),
    # OCI distribution specification, "Pushing blobs": any location
    upload="{scheme}://{aside}/storage/{id}?X-Signature={id}",
    refusal=Refusal(
        at="upload",
        answer=error(
            401,
            "UNAUTHORIZED",
            "authentication required",
            [{"Type": "repository", "Name": "dokku/web", "Action": "push"}],
        ),
        advice=GRANT,
    ),
)
HUB: Final = RegistryKind(
    name="hub",
    tokens=Tokens(
        path="/token",
        service="registry.docker.io",
        is_elsewhere=True,  # auth.docker.io
        fields=("token", "access_token"),
        expires_in=300,
        refusal=Answer(
            status=401, body=b'{"details":"incorrect username or password"}\n'
        ),
    ),
    gives_blobs_elsewhere=True,
    # docker/build-push-action#58: `pull` of a missing repository is not granted.
    no_repository=_WRONG_LOGIN,
    # As [hub-pulls] says.
    limited=error(
        429,
        "TOOMANYREQUESTS",
        "You have reached your pull rate limit. You may increase the limit by"
        " authenticating and upgrading: https://www.docker.com/increase-rate-limits",
    ),
    # docker/hub-feedback#2466
    immutable=error(
        403,
        "DENIED",
        "requested access to the resource is denied - This tag is already assigned to"
        " an image in this repository and cannot be updated due to immutability"
        " settings. To push this image, use a different tag.",
    ),
    refusal=Refusal(
        at="upload",
        answer=error(403, "DENIED", "requested access to the resource is denied"),
        advice=GRANT,
    ),
)
GHCR: Final = RegistryKind(
    name="ghcr",
    tokens=Tokens(
        path="/token",
        service="ghcr.io",
        # autc04/Retro68#274
        refusal=error(
            401,
            "UNAUTHORIZED",
            "unauthenticated: User cannot be authenticated with the token provided.",
        ),
    ),
    # hpc/charliecloud#1501, apple/swift-container-plugin#44: relative, and `upload`
    upload="/v2/{path}/blobs/upload/{id}",
    gives_blobs_elsewhere=True,
    # docker/build-push-action#806
    refusal=Refusal(
        at="upload",
        answer=error(403, "DENIED", "permission_denied: write_package"),
        advice=GRANT,
    ),
)
ECR: Final = RegistryKind(
    name="ecr",
    username="AWS",
    # flipt-io/flipt#3043
    expired=error(403, "DENIED", _EXPIRED),
    creates="never",
    no_repository=error(
        404,
        "NAME_UNKNOWN",
        "The repository with name 'dokku/web' does not exist in the registry with id"
        " '111122223333'",
    ),
    gives_blobs_elsewhere=True,
    # moby/buildkit#3776
    immutable=error(
        400,
        "TAG_INVALID",
        "The image tag '3' already exists in the 'dokku/web' repository and cannot be"
        " overwritten because the repository is immutable.",
    ),
    refusal=Refusal(
        at="upload",
        answer=error(
            403,
            "DENIED",
            "User: arn:aws:iam::111122223333:user/dokku is not authorized to perform:"
            " ecr:InitiateLayerUpload on resource: arn:aws:ecr:eu-central-1",
        ),
        advice=GRANT,
    ),
)
ECR_PUBLIC: Final = RegistryKind(
    name="ecr-public",
    username="AWS",
    tokens=Tokens(
        path="/token/",
        service="public.ecr.aws",
        refusal=error(401, "DENIED", "Not Authorized"),
        # aws/containers-roadmap#2835: 400 without a challenge
        dead=error(400, "DENIED", _EXPIRED),
    ),
    creates="never",
    no_repository=error(
        404, "NAME_UNKNOWN", "The repository with name 'web' does not exist"
    ),
    refusal=Refusal(
        at="upload",
        answer=error(
            403,
            "DENIED",
            "User is not authorized to perform: ecr-public:InitiateLayerUpload",
        ),
        advice=GRANT,
    ),
)
GAR: Final = RegistryKind(
    name="gar",
    username="_json_key",
    tokens=Tokens(
        path="/v2/token",
        expires_in=3600,
        # containerd, remotes/docker/authorizer.go: Google knows no POST
        form=Answer(status=404),
        refusal=error(403, "DENIED", "Unauthenticated request."),
    ),
    creates="never",
    no_repository=error(404, "NAME_UNKNOWN", 'Repository "web" not found'),
    upload="/artifacts-uploads/namespaces/project/repositories/web/uploads/{id}",
    immutable=error(
        400,
        "MANIFEST_INVALID",
        "cannot update tag 3. The repository has enabled tag immutability",
    ),
    # As [gar-push] says.
    refusal=Refusal(
        at="upload",
        answer=error(
            403,
            "DENIED",
            'Permission "artifactregistry.repositories.uploadArtifacts" denied on'
            ' resource "projects/p/locations/eu/repositories/web" (or it may not'
            " exist)",
        ),
        advice=GRANT,
    ),
)
ACR: Final = RegistryKind(
    name="acr",
    tokens=Tokens(
        path="/oauth2/token",
        service="name.azurecr.io",
        # Azure/acr, docs/AAD-OAuth.md
        fields=("access_token",),
        # containerd, remotes/docker/authorizer.go
        form=Answer(status=400),
        # Azure/docker-login#46
        refusal=error(401, "UNAUTHORIZED", "Invalid clientid or client secret."),
    ),
    # Azure/acr#841
    upload="/v2/{path}/blobs/uploads/{id}?_nouploadcache=false&_state={id}",
    gives_blobs_elsewhere=True,
    # Azure/azure-sdk-for-net#22827
    immutable=error(
        405,
        "REGISTRY_DISALLOWED_OPERATION",
        "The operation is disallowed on this registry, repository or image. View"
        " troubleshooting steps at https://aka.ms/acr/faq/",
        {},
    ),
    refusal=Refusal(
        at="upload",
        answer=error(
            403,
            "DENIED",
            "client with IP '203.0.113.7' is not allowed access. Refer"
            " https://aka.ms/acr/firewall to grant access.",
        ),
        advice=GRANT,
    ),
)
QUAY: Final = RegistryKind(
    name="quay",
    username="org+dokku",
    tokens=Tokens(
        path="/v2/auth",
        service="quay.io",
        refusal=error(401, "UNAUTHORIZED", "Could not find robot with this token"),
    ),
    # helm/helm#32144: a token for `pull` alone is worth nothing there
    creates="scope",
    no_repository=error(
        401, "UNAUTHORIZED", "access to the requested resource is not authorized", {}
    ),
    gives_blobs_elsewhere=True,
    # The rest is from quay/quay, endpoints/v2/errors.py.
    immutable=error(409, "TAG_ALREADY_EXISTS", "tag was already pushed", {}),
    refusal=Refusal(
        at="upload",
        answer=error(
            405,
            "DENIED",
            "System is currently read-only. Pulls will succeed but all write operations"
            " are currently suspended.",
            {},
        ),
        advice=CLOSED,
        is_passing=True,
    ),
)
HARBOR: Final = RegistryKind(
    name="harbor",
    username="robot$project+dokku",
    tokens=Tokens(
        path="/service/token",
        service="harbor-registry",
        fields=("token", "access_token"),
        expires_in=1800,
    ),
    # Harbor's configuration of distribution has `relativeurls`.
    upload="/v2/{path}/blobs/uploads/{id}?_state={id}",
    # goharbor/harbor#15885, #19408
    withheld=error(
        412,
        "PROJECTPOLICYVIOLATION",
        "current image without vulnerability scanning cannot be pulled due to"
        " configured policy",
    ),
    immutable=error(
        412,
        "PRECONDITION",
        "Failed to process request due to 'web:3' configured as immutable.",
    ),
    refusal=Refusal(
        at="number",
        answer=error(
            403,
            "DENIED",
            "adding 10.2 MiB of storage resource, which when updated to current usage"
            " of 1.0 GiB will exceed the configured upper limit of 1.0 GiB.",
        ),
        advice=QUOTA,
    ),
)
ARTIFACTORY: Final = RegistryKind(
    name="artifactory",
    tokens=Tokens(
        path="/artifactory/api/docker/web/v2/token",
        service="artifactory.example.com",
        expires_in=3600,
        # containerd, remotes/docker/authorizer.go
        form=Answer(status=401),
        refusal=error(401, "UNAUTHORIZED", "The client does not have permission"),
    ),
    # google/go-containerregistry#1691, sigstore/cosign#2973: virtual repositories
    no_repository=error(403, "DENIED", "The client does not have permission"),
    no_tag=error(403, "DENIED", "The client does not have permission"),
    # GoogleContainerTools/kaniko#1095: without Delete/Overwrite [jfrog-permissions]
    refusal=Refusal(
        at="tag",
        answer=error(
            403,
            "MANIFEST_INVALID",
            "manifest invalid",
            {"description": "HTTP 403 Forbidden"},
        ),
        advice=GRANT,
    ),
)
NEXUS: Final = RegistryKind(
    name="nexus",
    # crazy-max/diun#1614
    hides_tags=True,
    # sonatype/nexus-public#1011: the next page is one of its own paths
    no_list=error(400, "BAD_REQUEST", "Not a docker request"),
    upload="/v2/{path}/blobs/uploads/{id}",
    # GoogleContainerTools/jib#3057: "Disable redeploy"
    refusal=Refusal(
        at="tag",
        answer=error(
            400,
            "BLOB_UPLOAD_INVALID",
            "blob upload invalid",
            "Repository does not allow updating assets: docker-hosted",
        ),
        advice=IMMUTABLE,
    ),
)
GITLAB: Final = RegistryKind(
    name="gitlab",
    tokens=Tokens(
        path="/jwt/auth",
        service="container_registry",
        is_elsewhere=True,
        # getwud/wud#600
        refusal=error(403, "DENIED", "access forbidden"),
    ),
    # go-gitea/gitea#33646 has nginx's page; [nginx] has its limit.
    refusal=Refusal(
        at="layer",
        answer=Answer(
            status=413,
            body=b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>"
            b"\r\n<body>\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n"
            b"<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n",
            headers={"Content-Type": "text/html"},
        ),
        advice=SHRINK,
    ),
)
KINDS: Final = (
    *(PLAIN, TOKEN_SERVER, HUB, GHCR, ECR, ECR_PUBLIC, GAR),
    *(ACR, QUAY, HARBOR, ARTIFACTORY, NEXUS, GITLAB),
)
