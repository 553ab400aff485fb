"""The settings: names, types, bounds, defaults and descriptions."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from dokku_registryd.core.dokku import policy

DEFAULT_FILE = "/etc/dokku-registryd/config.toml"
PREFIX = "DOKKU_REGISTRYD_"
FILE_VARIABLE = "DOKKU_REGISTRYD_CONFIG"
# Read by the hooks, not by us: the program to call, and where the variables stand.
OTHER_VARIABLES = frozenset(
    {FILE_VARIABLE, "DOKKU_REGISTRYD_BIN", "DOKKU_REGISTRYD_DEFAULTS"}
)


def _split(value: object) -> object:
    """Read a list that came as text: `a,b`, or JSON as pydantic-settings has it."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _text(pattern: str, allowed: str) -> Any:
    return Field(pattern=pattern, json_schema_extra={"allowed": allowed})


AbsolutePath = Annotated[str, _text(r"^/[^\x00\n]*$", "an absolute path")]
OptionalPath = Annotated[str, _text(r"^(/[^\x00\n]*)?$", "empty or an absolute path")]
SearchPath = Annotated[
    str, _text(r"^/[^:\n]*(:/[^:\n]*)*$", "absolute paths with colons between them")
]
EngineAddress = Annotated[
    str, _text(r"^(unix:///|tcp://)[^\s@]+$", "unix:///PATH or tcp://HOST:PORT")
]
SchedulerName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
SchedulerNames = Annotated[
    tuple[SchedulerName, ...],
    BeforeValidator(_split),
    Field(json_schema_extra={"allowed": "a list of scheduler names"}),
]
# No login: `check` shows every setting.
ProxyAddress = Annotated[
    str,
    _text(
        r"^(none|(https?|socks5h?)://[^\s/@]+)?$",
        "empty, none, or http://, https:// or socks5:// with HOST:PORT",
    ),
]
Exemptions = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[^\s,]+$")], ...],
    BeforeValidator(_split),
    Field(json_schema_extra={"allowed": "a list of hosts, domains and networks"}),
]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\*?$")]
VariableNames = Annotated[
    tuple[VariableName, ...],
    BeforeValidator(_split),
    Field(json_schema_extra={"allowed": "a list of names of variables"}),
]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._\-\[\]:]+$")]
HostNames = Annotated[
    tuple[HostName, ...],
    BeforeValidator(_split),
    Field(json_schema_extra={"allowed": "a list of hosts"}),
]
SocketPlace = Annotated[
    str,
    _text(
        r"^([^/\x00\n]+|/[^\x00\n]*[^/\x00\n])?$", "empty, a name or an absolute path"
    ),
]
GroupName = Annotated[str, _text(r"^[^\s:]*$", "empty or the name of a group")]
Seconds = Annotated[float, Field(ge=0.1, le=86400, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of the file: frozen, without unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )


class Paths(Table):
    """Where things lie on this host."""

    dokku_root: AbsolutePath = Field(
        default="/home/dokku", description="The folder that holds the apps."
    )
    dokku_lib_root: AbsolutePath = Field(
        default="/var/lib/dokku",
        description="The folder where Dokku keeps properties and plugin data.",
    )
    data_dir: OptionalPath = Field(
        default="",
        description="The folder for spool and ledger; "
        "empty means data/registryd below dokku_lib_root.",
    )
    docker_config: OptionalPath = Field(
        default="",
        description="The folder of the global auth config; "
        "empty means .docker below dokku_root.",
    )
    certs_dir: AbsolutePath = Field(
        default="/etc/docker/certs.d",
        description="The folder where the Engine keeps certificates of registries.",
    )
    helper_path: SearchPath = Field(
        default="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        description="The folders that are searched for credential helpers.",
    )


class Engine(Table):
    """How the Docker Engine is talked to."""

    socket: EngineAddress = Field(
        default="unix:///var/run/docker.sock",
        description="The Engine's address. What goes over tcp:// is not encrypted, "
        "logins among it.",
    )
    timeout_seconds: Seconds = Field(
        default=30, description="How long one short request may take."
    )
    stall_seconds: Seconds = Field(
        default=120, description="How long a push or pull may go without progress."
    )
    deadline_seconds: Seconds = Field(
        default=3600, description="How long one push or pull may take in all."
    )

    push_path: Literal["auto", "relay", "engine"] = Field(
        default="auto",
        description="Which way a push goes: auto is by the relay of the service where "
        "the Engine reaches it, and else by the Engine itself; relay and engine insist "
        "on one of them.",
    )
    relay_port: int = Field(
        default=5871,
        ge=1,
        le=65535,
        description="The TCP port of 127.0.0.1 at which the Engine hands over what it "
        "pushes. Let it stay the same: the Engine remembers by it what is pushed "
        "already.",
    )

    @model_validator(mode="after")
    def _stall_is_within_deadline(self) -> "Engine":
        if self.stall_seconds > self.deadline_seconds:
            raise ValueError("stall_seconds must not exceed deadline_seconds")
        return self


class Registry(Table):
    """How registries are talked to directly."""

    connect_timeout_seconds: Seconds = Field(
        default=10, description="How long it may take to look a name up and to connect."
    )
    read_timeout_seconds: Seconds = Field(
        default=30, description="How long a registry may send nothing."
    )
    total_timeout_seconds: Seconds = Field(
        default=120, description="How long one request may take in all."
    )
    helper_timeout_seconds: Seconds = Field(
        default=30, description="How long a credential helper may run."
    )
    helper_variables: VariableNames = Field(
        default=(
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "NO_PROXY",
            "AWS_*",
            "AZURE_*",
            "GNUPGHOME",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        description="The variables that credential helpers get; "
        "a star stands for the rest of a name.",
    )
    proxy: ProxyAddress = Field(
        default="",
        description="The proxy to registries; empty means what HTTPS_PROXY says, else "
        "what the Engine uses, and none means no proxy. One that wants a login belongs "
        "into HTTPS_PROXY in /etc/default/dokku-registryd.",
    )
    no_proxy: Exemptions = Field(
        default=(),
        description="What is reached without the proxy; empty means what NO_PROXY "
        "says, else what the Engine has.",
    )
    inner_hosts: HostNames = Field(
        default=(),
        description="Hosts, with the port if it is not the usual one, that a registry "
        "may name as its token server or storage although they lie in this host's own "
        "network and it does not.",
    )
    parallel_tags: int = Field(
        default=8, ge=1, le=64, description="How many extra tags are put side by side."
    )


class Release(Table):
    """What a release waits for and what is kept of it."""

    push_policy: Literal["wait", "background"] = Field(
        default="wait",
        description="Whether a release waits for its push; "
        "the property push-policy overrides it.",
    )
    push_deadline_seconds: Seconds = Field(
        default=900,
        description="How long a release waits for its push; "
        "the property push-deadline overrides it.",
    )
    keep_releases: int = Field(
        default=0,
        ge=0,
        le=10000,
        description="How many superseded releases keep their local names; "
        "the property keep-releases overrides it.",
    )


class Heal(Table):
    """When vanished images are brought back."""

    enabled: bool = Field(
        default=True,
        description="Whether images are brought back; the property heal overrides it.",
    )
    schedulers: SchedulerNames = Field(
        default=("docker-local",),
        description="The schedulers that keep images on this host.",
    )
    min_free_disk_mb: int = Field(
        default=1024,
        ge=0,
        le=100_000_000,
        description="The free disk space, in megabytes, below which nothing is pulled.",
    )


class Retry(Table):
    """How long to wait between attempts."""

    initial_seconds: Seconds = Field(
        default=1.0, description="The longest wait before the second attempt."
    )
    max_seconds: Seconds = Field(
        default=300.0, description="The longest wait before any attempt."
    )

    @model_validator(mode="after")
    def _initial_is_within_max(self) -> "Retry":
        if self.initial_seconds > self.max_seconds:
            raise ValueError("initial_seconds must not exceed max_seconds")
        return self


class Daemon(Table):
    """How the service itself runs."""

    workers: int = Field(
        default=8,
        ge=1,
        le=64,
        description="How many apps are worked on at once; heals and pushes that no "
        "deploy waits for take three quarters of these at most, and one registry half "
        "of them unless it has just served.",
    )
    sweep_interval_seconds: Seconds = Field(
        default=300, description="How often the whole state is compared."
    )
    rescan_interval_seconds: Seconds = Field(
        default=30, description="How often the spool is read without a notice."
    )
    drain_seconds: float = Field(
        default=20,
        ge=0,
        le=80,  # below systemd's 90 s stop timeout
        allow_inf_nan=False,
        description="How long running jobs may finish when the service stops.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="How log lines look; auto is console on a terminal, else json.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged."
    )


class Status(Table):
    """Where health and metrics can be asked for."""

    socket: SocketPlace = Field(
        default="status.sock",
        description="The socket that answers about health and metrics; empty means "
        "none. A mere name lies in /run/dokku-registryd, or in data_dir where systemd "
        "does not run the service.",
    )
    group: GroupName = Field(
        default="",
        description="The group whose members may ask there, besides root and dokku; "
        "empty means the group that the service runs as.",
    )
    port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="A TCP port of 127.0.0.1 that answers the same to every user of "
        "this host; 0 means none.",
    )


class Settings(BaseSettings):
    """All settings, checked and frozen. Get them from `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    paths: Paths = Field(default_factory=Paths)
    engine: Engine = Field(default_factory=Engine)
    registry: Registry = Field(default_factory=Registry)
    release: Release = Field(default_factory=Release)
    heal: Heal = Field(default_factory=Heal)
    retry: Retry = Field(default_factory=Retry)
    daemon: Daemon = Field(default_factory=Daemon)
    status: Status = Field(default_factory=Status)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load` hands over; the process's own environment is not read."""
        return (init_settings,)

    @property
    def defaults(self) -> policy.Defaults:
        """What holds where no property of ours is set."""
        return policy.Defaults(
            push_policy=self.release.push_policy,
            push_deadline_seconds=self.release.push_deadline_seconds,
            heal=self.heal.enabled,
            keep_releases=self.release.keep_releases,
        )

    @property
    def config_root(self) -> Path:
        """The folder of Dokku's property files."""
        return Path(self.paths.dokku_lib_root, "config")

    @property
    def docker_config_dir(self) -> Path:
        """The folder of the global auth config."""
        return Path(self.paths.docker_config or f"{self.paths.dokku_root}/.docker")

    @property
    def data_dir(self) -> Path:
        """The folder for everything that the daemon itself keeps."""
        default = f"{self.paths.dokku_lib_root}/data/registryd"
        return Path(self.paths.data_dir or default)

    @property
    def spool_dir(self) -> Path:
        """The folder of trigger files."""
        return self.data_dir / "spool"

    @property
    def replies_dir(self) -> Path:
        """The folder of answers to trigger files."""
        return self.data_dir / "replies"

    @property
    def forgotten_dir(self) -> Path:
        """The folder of detached auth configs that wait to be erased."""
        return self.data_dir / "forgotten"

    @property
    def deployed_dir(self) -> Path:
        """The folder where hooks read the deployed reference of each app."""
        return self.data_dir / "deployed"

    @property
    def deploying_dir(self) -> Path:
        """The folder where hooks read what a deploy that runs was told."""
        return self.data_dir / "deploying"

    @property
    def ledger_file(self) -> Path:
        """The ledger's SQLite file."""
        return self.data_dir / "ledger.sqlite3"

    @property
    def lock_file(self) -> Path:
        """The file whose lock says who works the spool; never removed."""
        return self.data_dir / "lock"
