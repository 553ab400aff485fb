"""Reads settings from a file, variables and options, and explains mistakes."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args, get_origin

from pydantic import (
    ValidationError,
)
from pydantic.fields import FieldInfo

from dokku_registryd import errors
from dokku_registryd.config.schema import (
    DEFAULT_FILE,
    FILE_VARIABLE,
    OTHER_VARIABLES,
    PREFIX,
    Settings,
    Table,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    value: object
    where: str


def load(
    *, file: str | None, overrides: Mapping[str, str], environ: Mapping[str, str]
) -> Settings:
    """Return the settings from flags, environment and file.

    Args:
        file: The file named by `--config`, if any.
        overrides: Values of `--set`, by `table.key`.
        environ: The environment variables.

    Raises:
        ConfigurationError: A setting is invalid; the message lists all mistakes.
    """
    given = {
        **_from_file(*config_file(file, environ)),
        **_from_environment(environ),
        **{key: _Given(value=value, where="--set") for key, value in overrides.items()},
    }
    known = fields()
    mistakes = [_unknown(key, given[key]) for key in given if key not in known]
    path, _ = config_file(file, environ)
    exposed = {key for key in secret_keys() & given.keys() if given[key].where != path}
    mistakes += [
        f"{key} ({given[key].where}): is a secret, so set it in {path}"
        for key in exposed
    ]
    values: dict[str, dict[str, object]] = {}
    for key in (known.keys() & given.keys()) - exposed:
        table, _, name = key.partition(".")
        values.setdefault(table, {})[name] = given[key].value
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        mistakes += _mistakes(error, given)
    if mistakes:
        raise errors.ConfigurationError(_listed(sorted(set(mistakes))))
    return settings


def config_file(file: str | None, environ: Mapping[str, str]) -> tuple[str, bool]:
    """Return the path of the settings file, and whether it was given explicitly."""
    named = file or environ.get(FILE_VARIABLE)
    return (named, True) if named else (DEFAULT_FILE, False)


def fields() -> dict[str, FieldInfo]:
    """Return every setting by `table.key`, in the order of the example file."""
    return {
        f"{table}.{name}": field
        for table, holder in Settings.model_fields.items()
        for name, field in _table(holder).items()
    }


def secret_keys() -> set[str]:
    """Return the settings that other users could see in variables and arguments."""
    return {
        key
        for key, field in fields().items()
        if isinstance(field.json_schema_extra, dict)
        and field.json_schema_extra.get("is_secret")
    }


def variable(key: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + key.replace(".", "__").upper()


def allowed(key: str) -> str:
    """Return a phrase for the allowed values of a setting."""
    field = fields()[key]
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["allowed"])
    if get_origin(field.annotation) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(field.annotation))
    if field.annotation is bool:
        return "either true or false"
    noun = "a whole number" if field.annotation is int else "a number"
    units = {"seconds": " of seconds", "mb": " of megabytes"}
    unit = units.get(key.rpartition("_")[2], "")
    return f"{noun}{unit} from {_bound(field, 'ge')} to {_bound(field, 'le')}"


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the unknown variables with our prefix."""
    known = OTHER_VARIABLES | {variable(key) for key in fields()}
    return sorted(
        name for name in environ if name.startswith(PREFIX) and name not in known
    )


def describe(settings: Settings) -> list[tuple[str, object]]:
    """Return every setting and its effective value."""
    values = settings.model_dump(mode="json")
    return [
        (f"{table}.{name}", value)
        for table, content in values.items()
        for name, value in content.items()
    ]


def _table(holder: FieldInfo) -> dict[str, FieldInfo]:
    return cast("type[Table]", holder.annotation).model_fields


def _bound(field: FieldInfo, name: str) -> str:
    return next(
        f"{getattr(rule, name):.12g}" for rule in field.metadata if hasattr(rule, name)
    )


def _from_file(path: str, is_named: bool) -> dict[str, _Given]:  # noqa: FBT001
    try:
        with Path(path).open("rb") as stream:
            tables = tomllib.load(stream)
    except FileNotFoundError as error:
        if not is_named:
            return {}
        raise errors.ConfigurationError(
            f"Cannot read {path}: no such file. Correct --config or {FILE_VARIABLE}."
        ) from error
    except PermissionError as error:
        raise errors.ConfigurationError(
            f"Cannot read {path}: {error.strerror}. Run this as root or user dokku. If"
            f" that user cannot read it: chgrp dokku {path} && chmod 0640 {path}."
        ) from error
    except OSError as error:
        raise errors.ConfigurationError(
            f"Cannot read {path}: {error.strerror}."
        ) from error
    except ValueError as error:  # TOMLDecodeError, or the text is not UTF-8.
        raise errors.ConfigurationError(
            f"{path} is not valid TOML: {error}."
        ) from error
    given: dict[str, _Given] = {}
    for table, content in tables.items():
        if isinstance(content, dict):
            for name, value in content.items():
                given[f"{table}.{name}"] = _Given(value=value, where=path)
        else:
            given[table] = _Given(value=content, where=path)
    return given


def _from_environment(environ: Mapping[str, str]) -> dict[str, _Given]:
    names = {key: variable(key) for key in fields()}
    return {
        key: _Given(value=environ[name], where=name)
        for key, name in names.items()
        if name in environ
    }


def _unknown(key: str, found: _Given) -> str:
    if key in Settings.model_fields:
        return f"{key} ({found.where}): must be a table, [{key}]"
    names = list(fields())
    near = difflib.get_close_matches(key, names, n=1) or [
        name for name in names if name.endswith(f".{key.rpartition('.')[2]}")
    ]
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{key} ({found.where}): unknown key{hint}"


def _mistakes(error: ValidationError, given: Mapping[str, _Given]) -> list[str]:
    # Leave out input and context: they repeat the entered value.
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [
        _mistake([str(part) for part in each["loc"]], each["msg"], given)
        for each in found
    ]


def _mistake(location: list[str], message: str, given: Mapping[str, _Given]) -> str:
    key = ".".join(location[:2])
    if key in given:
        return f"{key} ({given[key].where}): must be {allowed(key)}"
    # Only validators of a whole table get here, with messages of this module.
    places = sorted({one.where for name, one in given.items() if name.startswith(key)})
    return f"{key} ({', '.join(places)}): {message.removeprefix('Value error, ')}"


def _listed(mistakes: list[str]) -> str:
    if len(mistakes) == 1:
        return f"The configuration is invalid: {mistakes[0]}."
    lines = "".join(f"\n  {mistake}" for mistake in mistakes)
    return f"The configuration is invalid in {len(mistakes)} places:{lines}"
