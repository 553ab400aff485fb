"""Settings: sources in their order, bounds, and mistakes that name their place."""

from pathlib import Path

import pydantic
import pytest

from dokku_registryd import config, errors


def load(
    file: Path | None = None,
    overrides: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
) -> config.Settings:
    """Load from what is given and nothing else."""
    return config.load(
        file=str(file) if file else None,
        overrides=overrides or {},
        environ=environ or {},
    )


def refusal(
    file: Path | None = None,
    overrides: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
) -> str:
    """Return the message with which the settings are refused."""
    with pytest.raises(errors.ConfigurationError) as caught:
        load(file, overrides, environ)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a place for a settings file."""
    return tmp_path / "config.toml"


def test_nothing_given() -> None:
    """Without any source every setting has its default."""
    assert load() == config.Settings()


def test_flags_win_over_environment_and_file(file: Path) -> None:
    """A flag beats the environment, which beats the file."""
    file.write_text("[daemon]\nworkers = 1\ndrain_seconds = 1\nlog_level = 'error'\n")
    environ = {
        "DOKKU_REGISTRYD_DAEMON__WORKERS": "2",
        "DOKKU_REGISTRYD_DAEMON__DRAIN_SECONDS": "2",
    }

    daemon = load(file, {"daemon.workers": "3"}, environ).daemon

    assert (daemon.workers, daemon.drain_seconds, daemon.log_level) == (3, 2, "error")


def test_process_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the environment that is handed in counts."""
    monkeypatch.setenv("DOKKU_REGISTRYD_DAEMON__WORKERS", "2")

    assert load().daemon.workers == 8
    assert config.Settings().daemon.workers == 8


def test_file_named_by_variable(file: Path) -> None:
    """DOKKU_REGISTRYD_CONFIG names the file where no flag does."""
    file.write_text("[daemon]\nworkers = 1\n")

    settings = load(environ={"DOKKU_REGISTRYD_CONFIG": str(file)})

    assert settings.daemon.workers == 1


def test_file_named_by_flag_and_variable(file: Path) -> None:
    """The file of the flag is read and that of the variable is not."""
    file.write_text("[daemon]\nworkers = 1\n")

    settings = load(file, environ={"DOKKU_REGISTRYD_CONFIG": "/absent"})

    assert settings.daemon.workers == 1


@pytest.mark.parametrize("by_flag", [True, False], ids=["flag", "variable"])
def test_named_file_is_missing(by_flag: bool, file: Path) -> None:
    """A file that was named and is not there is a mistake."""
    named = file if by_flag else None
    environ = {} if by_flag else {"DOKKU_REGISTRYD_CONFIG": str(file)}

    assert f"Cannot read {file}: no such file" in refusal(named, environ=environ)


def test_file_is_a_folder(tmp_path: Path) -> None:
    """A file that cannot be read is named together with the reason."""
    assert refusal(tmp_path) == f"Cannot read {tmp_path}: Is a directory."


def test_broken_toml(file: Path) -> None:
    """A syntax error is reported with its file and line."""
    file.write_text("[daemon]\nworkers 1\n")

    message = refusal(file)

    assert str(file) in message
    assert "line 2" in message


def test_file_in_another_encoding(file: Path) -> None:
    """A file outside UTF-8 is refused by name."""
    file.write_bytes(b"[paths]\ndata_dir = '/\xff'\n")

    assert f"{file} is not valid TOML" in refusal(file)


def test_all_mistakes_at_once(file: Path) -> None:
    """Every mistake is listed with key, place and what is allowed."""
    file.write_text(
        "workers = 3\nengine = 4\n[heal]\nmin_free_disk = 3\n"
        "[relase]\npush_policy = 'x'\n[release]\nkeep_releases = 'many'\n"
    )
    overrides = {"daemon.log_level": "loud", "_env_file": "x"}
    environ = {"DOKKU_REGISTRYD_DAEMON__WORKERS": "0"}

    message = refusal(file, overrides, environ)

    assert message == (
        "The configuration is invalid in 8 places:\n"
        "  _env_file (--set): unknown key\n"
        "  daemon.log_level (--set): "
        'must be "debug" or "info" or "warning" or "error"\n'
        "  daemon.workers (DOKKU_REGISTRYD_DAEMON__WORKERS): "
        "must be a whole number from 1 to 64\n"
        f"  engine ({file}): must be a table, [engine]\n"
        f"  heal.min_free_disk ({file}): unknown key "
        "(did you mean heal.min_free_disk_mb?)\n"
        f"  relase.push_policy ({file}): unknown key "
        "(did you mean release.push_policy?)\n"
        f"  release.keep_releases ({file}): must be a whole number from 0 to 10000\n"
        f"  workers ({file}): unknown key (did you mean daemon.workers?)"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("paths.dokku_root", "home/dokku"),
        ("paths.dokku_root", ""),
        ("paths.data_dir", "data"),
        ("paths.helper_path", "/bin:bin"),
        ("engine.socket", "/var/run/docker.sock"),
        ("engine.socket", "tcp://user@host:1"),
        ("engine.timeout_seconds", "0"),
        ("engine.timeout_seconds", "nan"),
        ("engine.timeout_seconds", "inf"),
        ("registry.parallel_tags", "1.5"),
        ("heal.enabled", "perhaps"),
        ("heal.schedulers", "Docker Local"),
        ("heal.schedulers", "[docker-local"),
        ("heal.schedulers", '["../x"]'),
        ("release.push_policy", "Wait"),
        ("daemon.drain_seconds", "81"),
    ],
)
def test_value_out_of_bounds(key: str, value: str) -> None:
    """A refused value is never printed; what is allowed is."""
    message = refusal(overrides={key: value})

    mistake = f"{key} (--set): must be {config.allowed(key)}."
    assert message == f"The configuration is invalid: {mistake}"


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"retry.initial_seconds": "301"}, "initial_seconds must not exceed max"),
        ({"engine.deadline_seconds": "60"}, "stall_seconds must not exceed deadline"),
    ],
    ids=["retry", "engine"],
)
def test_values_that_contradict_each_other(
    overrides: dict[str, str], text: str
) -> None:
    """Two values of a table that exclude each other are one mistake of the table."""
    assert text in refusal(overrides=overrides)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker-local", ("docker-local",)),
        ("docker-local, k3s", ("docker-local", "k3s")),
        ('["docker-local", "k3s"]', ("docker-local", "k3s")),
        ("", ()),
    ],
    ids=["one", "two", "json", "none"],
)
def test_list_as_text(text: str, expected: tuple[str, ...]) -> None:
    """A list in a variable is separated by commas, or JSON."""
    settings = load(environ={"DOKKU_REGISTRYD_HEAL__SCHEDULERS": text})

    assert settings.heal.schedulers == expected


def test_settings_are_frozen() -> None:
    """A setting cannot be changed once it is loaded."""
    settings = load()

    with pytest.raises(pydantic.ValidationError):
        settings.daemon.workers = 2


def test_derived_paths() -> None:
    """What has no setting of its own follows from the folders."""
    settings = load(
        overrides={"paths.dokku_root": "/d", "paths.dokku_lib_root": "/lib/dokku"}
    )

    data = Path("/lib/dokku/data/registryd")
    assert settings.config_root == Path("/lib/dokku/config")
    assert settings.docker_config_dir == Path("/d/.docker")
    assert settings.data_dir == data
    assert settings.spool_dir == data / "spool"
    assert settings.replies_dir == data / "replies"
    assert settings.forgotten_dir == data / "forgotten"
    assert settings.deployed_dir == data / "deployed"
    assert settings.ledger_file == data / "ledger.sqlite3"
    assert settings.lock_file == data / "lock"


def test_given_paths() -> None:
    """Data folder and auth config may lie anywhere."""
    settings = load(
        overrides={"paths.data_dir": "/data", "paths.docker_config": "/auth"}
    )

    assert settings.lock_file == Path("/data/lock")
    assert settings.docker_config_dir == Path("/auth")


def test_unknown_variables() -> None:
    """Variables with our prefix that mean nothing are named; others are ignored."""
    environ = {
        "PATH": "/bin",
        "DOKKU_REGISTRYD_BIN": "/x",
        "DOKKU_REGISTRYD_CONFIG": "/x",
        "DOKKU_REGISTRYD_DEFAULTS": "/x",
        "DOKKU_REGISTRYD_DAEMON__WORKERS": "1",
        "DOKKU_REGISTRYD_DAEMON_WORKERS": "1",
        "DOKKU_REGISTRYD_DAEMON": "{}",
    }

    assert config.unknown_variables(environ) == [
        "DOKKU_REGISTRYD_DAEMON",
        "DOKKU_REGISTRYD_DAEMON_WORKERS",
    ]


def test_description_covers_every_field() -> None:
    """`describe` lists each setting once, in the order of the tables."""
    described = config.describe(load(overrides={"daemon.workers": "2"}))

    assert [key for key, _ in described] == list(config.fields())
    assert dict(described)["daemon.workers"] == 2


def test_every_field_explains_itself() -> None:
    """Each setting has a sentence about it and says what is allowed."""
    for key, field in config.fields().items():
        assert field.description, key
        assert field.description.endswith("."), key
        assert config.allowed(key), key


@pytest.mark.parametrize("key", sorted(config.secret_keys()))
def test_secrets_come_from_the_file(file: Path, key: str) -> None:
    """A secret is refused where other users could see it, and never shown."""
    secret = "https://hunter2secret.example"
    name = key.removeprefix("notify.")
    file.write_text(
        f"[notify]\n{name} = {[secret] if name == 'urls' else repr(secret)}\n"
    )

    for message in (
        refusal(file, {key: secret}),
        refusal(file, environ={config.variable(key): secret}),
    ):
        assert message.endswith(f": is a secret, so set it in {file}.")
        assert secret not in message
    settings = load(file)
    assert secret not in repr(settings)
    assert secret not in str(config.describe(settings))
    file.write_text(f"[notify]\n{name} = 'hunter2'\n")
    assert "hunter2" not in refusal(file)
