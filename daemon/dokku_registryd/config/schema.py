"""The settings: names, types, bounds, defaults and descriptions."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
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
MODE_VARIABLE = "DOKKU_REGISTRYD_MODE"
# The last four are read by hooks only: the program to call, the file with the
# variables, and what `dokku plugin:install` uses.
OTHER_VARIABLES = frozenset(
    {
        FILE_VARIABLE,
        MODE_VARIABLE,
        "DOKKU_REGISTRYD_BIN",
        "DOKKU_REGISTRYD_DEFAULTS",
        "DOKKU_REGISTRYD_PYTHON",
        "DOKKU_REGISTRYD_WHEELS",
    }
)


def _split(value: object) -> object:
    """Parse a list given as text: `a,b`, or JSON as in pydantic-settings."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _check_url(schemes: str) -> AfterValidator:
    """Return a check of a secret address; its messages never repeat it."""
    form = re.compile(rf"({schemes})://[!-~]+")

    def check(url: SecretStr) -> SecretStr:
        if url and not form.fullmatch(url.get_secret_value()):
            raise ValueError("not an address")
        return url

    return AfterValidator(check)


def _check_command(words: tuple[str, ...]) -> tuple[str, ...]:
    if words and not words[0].startswith("/"):
        raise ValueError("not an absolute path")
    return words


def _secret(allowed: str) -> Any:
    """Return the marks of a setting that only the settings file may contain."""
    return Field(json_schema_extra={"allowed": allowed, "is_secret": True})


def _text(pattern: str, allowed: str) -> Any:
    return Field(pattern=pattern, json_schema_extra={"allowed": allowed})


AbsolutePath = Annotated[str, _text(r"^/[^\x00\n]*$", "an absolute path")]
OptionalPath = Annotated[str, _text(r"^(/[^\x00\n]*)?$", "empty or an absolute path")]
SearchPath = Annotated[
    str, _text(r"^/[^:\n]*(:/[^:\n]*)*$", "absolute paths separated by colons")
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
    Field(json_schema_extra={"allowed": "a list of variable names"}),
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
OwnName = Annotated[
    str,
    _text(r"^[A-Za-z0-9.-]{0,200}$", "empty or letters, digits, dots and hyphens"),
]
NotifyUrls = Annotated[
    tuple[Annotated[SecretStr, _check_url(r"[a-z][a-z0-9+.-]*")], ...],
    _secret("a list of Apprise URLs, in this file only"),
]
HeartbeatUrl = Annotated[
    SecretStr,
    _check_url("https?"),
    _secret("empty, or http:// or https://, in this file only"),
]
Command = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[^\x00]*$")], ...],
    BeforeValidator(_split),
    AfterValidator(_check_command),
    Field(json_schema_extra={"allowed": "a list: an absolute path, then arguments"}),
]
Seconds = Annotated[float, Field(ge=0.1, le=86400, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of the file: frozen, without unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )


class Paths(Table):
    """Paths on this host."""

    dokku_root: AbsolutePath = Field(
        default="/home/dokku", description="The folder that contains the apps."
    )
    dokku_lib_root: AbsolutePath = Field(
        default="/var/lib/dokku",
        description="The folder of Dokku's properties and plugin data.",
    )
    data_dir: OptionalPath = Field(
        default="",
        description="The folder of the spool and the ledger; "
        "empty means data/registryd in dokku_lib_root.",
    )
    docker_config: OptionalPath = Field(
        default="",
        description="The folder of the global auth config; "
        "empty means .docker in dokku_root.",
    )
    certs_dir: AbsolutePath = Field(
        default="/etc/docker/certs.d",
        description="The Engine's folder of registry certificates.",
    )
    helper_path: SearchPath = Field(
        default="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        description="The folders to search for credential helpers.",
    )


class Engine(Table):
    """Requests to the Docker Engine."""

    socket: EngineAddress = Field(
        default="unix:///var/run/docker.sock",
        description="The Engine's address. Traffic over tcp:// is not encrypted, "
        "including logins.",
    )
    timeout_seconds: Seconds = Field(
        default=30, description="The timeout of one short request."
    )
    stall_seconds: Seconds = Field(
        default=120, description="How long a push or pull may make no progress."
    )
    deadline_seconds: Seconds = Field(
        default=3600, description="How long one push or pull may take in total."
    )

    push_path: Literal["auto", "relay", "engine"] = Field(
        default="auto",
        description="The path of a push. relay: the Engine pushes to the service, "
        "which pushes to the registry. engine: the Engine pushes directly. auto: relay "
        "if the Engine can reach it, otherwise engine.",
    )
    relay_port: int = Field(
        default=5871,
        ge=1,
        le=65535,
        description="The TCP port on 127.0.0.1 where the relay listens. Do not change "
        "it without need: the Engine remembers pushed layers by this port.",
    )

    @model_validator(mode="after")
    def _stall_is_within_deadline(self) -> "Engine":
        if self.stall_seconds > self.deadline_seconds:
            raise ValueError("stall_seconds must not exceed deadline_seconds")
        return self


class Registry(Table):
    """Direct requests to registries."""

    connect_timeout_seconds: Seconds = Field(
        default=10, description="The timeout of name resolution and connect."
    )
    read_timeout_seconds: Seconds = Field(
        default=30, description="How long to wait for data from a registry."
    )
    total_timeout_seconds: Seconds = Field(
        default=120, description="How long one request may take in total."
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
        description="The environment variables passed to credential helpers; "
        "a trailing * matches any rest of a name.",
    )
    proxy: ProxyAddress = Field(
        default="",
        description="The proxy for registries; empty means HTTPS_PROXY, or the "
        "Engine's proxy if HTTPS_PROXY is not set; none means no proxy. Set a proxy "
        "with a login in HTTPS_PROXY in /etc/default/dokku-registryd instead.",
    )
    no_proxy: Exemptions = Field(
        default=(),
        description="Hosts, domains and networks to reach without the proxy; empty "
        "means NO_PROXY, or the Engine's list if NO_PROXY is not set.",
    )
    inner_hosts: HostNames = Field(
        default=(),
        description="Hosts in this host's own network that an outside registry may "
        "name as its token server or storage; with the port if it is not the default.",
    )
    parallel_tags: int = Field(
        default=8, ge=1, le=64, description="How many extra tags to put in parallel."
    )
    login_check_seconds: float = Field(
        default=3600,
        ge=0,
        le=86400,
        allow_inf_nan=False,
        description="The interval between checks of a login that an app uses, before a "
        "deploy needs it; 0 means none.",
    )
    reach_check_seconds: float = Field(
        default=300,
        ge=0,
        le=86400,
        allow_inf_nan=False,
        description="The interval between questions whether a registry that an app "
        "uses answers; 0 means none.",
    )


class Release(Table):
    """Pushes of releases, and how many releases to keep."""

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
        "the property keep-releases overrides it. If Dokku's builder property "
        "skip-cleanup, of the app or global, is true, all keep them unless "
        "keep-releases is set.",
    )
    records: bool = Field(
        default=False,
        description="Whether a record of each live release is put beside it in the "
        "registry, for other hosts; the property release-records overrides it.",
    )


class Follow(Table):
    """Keeping what other hosts run, in the repositories of the property follow."""

    interval_seconds: Seconds = Field(
        default=60,
        description="The interval between looks for releases of other hosts.",
    )
    keep_releases: int = Field(
        default=1,
        ge=1,
        le=100,
        description="How many releases of each app of each other host are kept here.",
    )


class Heal(Table):
    """Restoring missing images."""

    enabled: bool = Field(
        default=True,
        description="Whether missing images are restored; "
        "the property heal overrides it.",
    )
    schedulers: SchedulerNames = Field(
        default=("docker-local",),
        description="The schedulers that keep images on this host.",
    )
    min_free_disk_mb: int = Field(
        default=1024,
        ge=0,
        le=100_000_000,
        description="The free disk space, in megabytes, below which no image is "
        "pulled.",
    )


class Disk(Table):
    """Freeing local images of superseded releases when the Engine's disk runs full."""

    high_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        description="The used part of the disk, in percent, from which images are "
        "freed that their registry has complete and nothing uses; 0 frees none.",
    )
    low_percent: int = Field(
        default=80,
        ge=0,
        le=100,
        description="The used part of the disk, in percent, below which no more are "
        "freed.",
    )

    @model_validator(mode="after")
    def _low_is_below_high(self) -> "Disk":
        if self.high_percent and self.low_percent >= self.high_percent:
            raise ValueError("low_percent must be less than high_percent")
        return self


class Retry(Table):
    """Waits between attempts."""

    initial_seconds: Seconds = Field(
        default=1.0, description="The maximum wait before the second attempt."
    )
    max_seconds: Seconds = Field(
        default=300.0, description="The maximum wait before any attempt."
    )

    @model_validator(mode="after")
    def _initial_is_within_max(self) -> "Retry":
        if self.initial_seconds > self.max_seconds:
            raise ValueError("initial_seconds must not exceed max_seconds")
        return self


class Daemon(Table):
    """The service itself."""

    workers: int = Field(
        default=8,
        ge=1,
        le=64,
        description="How many jobs run in parallel. Heals and pushes without a waiting "
        "deploy use at most three quarters of the workers; one registry uses at most "
        "half of them unless it served its last request.",
    )
    sweep_interval_seconds: Seconds = Field(
        default=300, description="The interval between sweeps."
    )
    rescan_interval_seconds: Seconds = Field(
        default=30,
        description="The interval between spool scans when no inotify event arrives.",
    )
    drain_seconds: float = Field(
        default=20,
        ge=0,
        le=80,  # below systemd's 90 s stop timeout
        allow_inf_nan=False,
        description="How long running jobs may take to finish when the service stops.",
    )
    host_name: OwnName = Field(
        default="",
        description="The name of this host in release records and messages, which "
        "tells it from other hosts; empty means its hostname.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="The format of log lines; auto means console on a terminal, "
        "otherwise json.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The minimum level of logged lines."
    )


class Status(Table):
    """The endpoint of health and metrics."""

    socket: SocketPlace = Field(
        default="status.sock",
        description="The Unix socket that serves health and metrics; empty means none. "
        "A name without a slash is created in /run/dokku-registryd, or in data_dir if "
        "systemd does not run the service.",
    )
    group: GroupName = Field(
        default="",
        description="The group whose members may use the socket, in addition to root "
        "and dokku; empty means the group of the service.",
    )
    port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="A TCP port on 127.0.0.1 that serves the same to every user of "
        "this host; 0 means none.",
    )


class Notify(Table):
    """Messages to the operator about troubles and their end."""

    urls: NotifyUrls = Field(
        default=(),
        description="Where messages go: mail, chats, webhooks. See "
        "docs/notifications.md. They are secrets.",
    )
    command: Command = Field(
        default=(),
        description="A program that gets each message as JSON on its standard input; "
        "empty means none.",
    )
    heartbeat_url: HeartbeatUrl = Field(
        default=SecretStr(""),
        description="An address that is asked once after each sweep that ended well, "
        "at most once a minute, so that a monitor notices its absence. It is a secret.",
    )
    grace_seconds: float = Field(
        default=30,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="How long a trouble that may pass by itself must last before it is "
        "told, and how long any trouble must be over before its end is told.",
    )
    lag_seconds: Seconds = Field(
        default=1800,
        description="The age from which a deployed release that the registry does not "
        "have is a trouble, even without an error.",
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
    follow: Follow = Field(default_factory=Follow)
    heal: Heal = Field(default_factory=Heal)
    disk: Disk = Field(default_factory=Disk)
    retry: Retry = Field(default_factory=Retry)
    daemon: Daemon = Field(default_factory=Daemon)
    status: Status = Field(default_factory=Status)
    notify: Notify = Field(default_factory=Notify)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the values that `load` passes; never read the environment."""
        return (init_settings,)

    @property
    def defaults(self) -> policy.Defaults:
        """The values that apply if the app has no such property."""
        return policy.Defaults(
            push_policy=self.release.push_policy,
            push_deadline_seconds=self.release.push_deadline_seconds,
            heal=self.heal.enabled,
            keep_releases=self.release.keep_releases,
            release_records=self.release.records,
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
        """The folder of all data of the daemon."""
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
        """The folder of destroyed apps' auth configs that still must be erased."""
        return self.data_dir / "forgotten"

    @property
    def deployed_dir(self) -> Path:
        """The folder where hooks read the deployed reference of each app."""
        return self.data_dir / "deployed"

    @property
    def deploying_dir(self) -> Path:
        """The folder where hooks read the reply to a running deploy."""
        return self.data_dir / "deploying"

    @property
    def ledger_file(self) -> Path:
        """The ledger's SQLite file."""
        return self.data_dir / "ledger.sqlite3"

    @property
    def lock_file(self) -> Path:
        """The lock file of the process that owns the spool; never removed."""
        return self.data_dir / "lock"
