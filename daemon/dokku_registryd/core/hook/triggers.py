r"""Triggers of hooks, and the text format of a trigger file.

A trigger file is UTF-8 text of at most `MAX_BYTES`::

    dokku-registryd/1
    trigger=release
    app=web
    image=dokku/web:latest
    scheduler=docker-local
    end

The first line is the format's version. The last line shows that the file is complete. A
shell writes it with one `printf`, without escaping, because no value may contain a line
break. An unexpected value is rejected, never guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.dokku import app_names
from dokku_registryd.core.job.kinds import RULES, Kind

MAX_BYTES: Final = 4096
_HEADER: Final = "dokku-registryd/1"
_FOOTER: Final = "end"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")
_TEXT = re.compile(r"[ -~]{1,200}")
_TEXTS: Final = frozenset({"source", "deployer", "revision"})
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One trigger, from any source."""

    kind: Kind
    app: str = ""
    image: str = ""
    scheduler: str = ""
    other: str = ""
    tag: str = ""
    build: str = ""
    """The deploy of Dokku that it belongs to: `DOKKU_BUILD_ID`, or its substitute."""
    waiter: str = ""
    """The process that waits for the reply, as `core.job.waiters` writes it."""
    job: str = ""
    """The trigger that is cancelled, or whose release is repeated."""
    source: str = ""
    """`DOKKU_BUILD_SOURCE`: what has begun the deploy, such as `git-hook`."""
    deployer: str = ""
    """`SSH_NAME`: the name of the key that deploys."""
    revision: str = ""
    """`GIT_REV`, if Dokku has it in the environment of the hook."""

    @property
    def apps(self) -> tuple[str, ...]:
        """The apps of this trigger: its lanes."""
        return tuple(name for name in (self.app, self.other) if name)


# A hook that cancels its wait gives the trigger file this suffix, by one rename.
CANCELLED_ENDING: Final = ".cancelled"

# One value with different names in different versions of the hooks.
_BUILD_KEYS: Final = ("build", "deploy")
# Keys that a program announces (core/install/builds.py): hooks omit the others.
OPTIONAL_KEYS: Final = tuple(
    sorted({key for rules in RULES.values() for key in rules.optional})
)


def is_trigger_id(text: str) -> bool:
    """Return whether a file name can be the identity of a trigger."""
    return bool(_ID.fullmatch(text))


def is_text(text: str) -> bool:
    """Return whether a text of another program is short, printable ASCII."""
    return bool(_TEXT.fullmatch(text))


def parse(raw: bytes) -> Trigger:
    """Parse a trigger file.

    Raises:
        InvalidTriggerError: It has another format; the message says where.
    """
    lines = _lines(raw)
    values = _values(lines[1:-1])
    name = values.pop("trigger", "")
    if name not in {kind.value for kind, rules in RULES.items() if rules.fields}:
        raise errors.InvalidTriggerError(f"unknown trigger {name!r}")
    kind = Kind(name)
    _check_fields(kind, values)
    build = [values.pop(key) for key in _BUILD_KEYS if key in values]
    return Trigger(kind=kind, build="".join(build), **values)


def parse_file(name: str, raw: bytes) -> Trigger:
    """Parse a trigger file; by its name a cancelled release becomes `cancelled`.

    Raises:
        InvalidTriggerError: It has another format; the message says where.
    """
    trigger = parse(raw)
    if trigger.kind is Kind.RELEASE and name.endswith(CANCELLED_ENDING):
        return cancellation(name.removesuffix(CANCELLED_ENDING), trigger.app)
    return trigger


def cancellation(job_id: str, app: str) -> Trigger:
    """Return the trigger that cancels a release."""
    return Trigger(kind=Kind.CANCELLED, app=app, job=job_id)


def render(trigger: Trigger) -> bytes:
    """Return a trigger in the format that `parse` reads."""
    rules = RULES[trigger.kind]
    fields = {name: str(getattr(trigger, name)) for name in rules.fields}
    for name in rules.optional:
        if value := str(getattr(trigger, "build" if name in _BUILD_KEYS else name)):
            fields[name] = value
    _check_fields(trigger.kind, fields)
    body = [f"{name}={value}" for name, value in fields.items()]
    text = [_HEADER, f"trigger={trigger.kind}", *body, _FOOTER, ""]
    return "\n".join(text).encode()


def _lines(raw: bytes) -> list[str]:
    if not raw:
        raise errors.InvalidTriggerError("the file is empty: was the disk full?")
    if len(raw) > MAX_BYTES:
        raise errors.InvalidTriggerError(f"longer than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise errors.InvalidTriggerError(
            f"not UTF-8 text: byte {raw[error.start]:#04x} at offset {error.start}"
        ) from None
    lines = text.split("\n")
    if lines[0] != _HEADER:
        raise errors.InvalidTriggerError(
            f"the opening line is {lines[0][:40]!r}, not {_HEADER!r}"
        )
    if lines[-2:] != [_FOOTER, ""]:
        raise errors.InvalidTriggerError("truncated: the closing line 'end' is missing")
    return lines[:-1]


def _values(lines: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(lines, start=2):
        key, equals, value = line.partition("=")
        if not equals:
            raise errors.InvalidTriggerError(f"line {number} is not KEY=VALUE")
        if key in values:
            raise errors.InvalidTriggerError(f"line {number} repeats {key[:40]!r}")
        values[key] = value
    return values


def _check_fields(kind: Kind, values: Mapping[str, str]) -> None:
    needed = RULES[kind].fields
    for key in needed:
        if key not in values:
            raise errors.InvalidTriggerError(f"a {kind} trigger needs {key!r}")
    for key in values:
        if key not in needed and key not in RULES[kind].optional:
            raise errors.InvalidTriggerError(
                f"unexpected key {key[:40]!r} in a {kind} trigger"
            )
        if not _is_value(key, values[key]):
            raise errors.InvalidTriggerError(f"invalid {key}: {values[key][:80]!r}")


def _is_value(key: str, value: str) -> bool:
    if key in {"app", "other"}:
        return app_names.is_app_name(value)
    if key == "image":
        return bool(_IMAGE.fullmatch(value))
    if key == "tag":
        return not value or bool(_WORD.fullmatch(value))
    if key in _TEXTS:
        return is_text(value)
    return bool(_WORD.fullmatch(value))
