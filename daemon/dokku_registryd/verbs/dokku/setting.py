"""Shared by `registry:set` and `registryd:set`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dokku_registryd.adapters.dokku import property_edits
from dokku_registryd.core.dokku import pflag, policy, validation
from dokku_registryd.verbs import identity
from dokku_registryd.verbs.dokku import apps
from dokku_registryd.verbs.dokku import call as dokku_call

_FLAGS = (pflag.Flag(name="global", usage="--global: set a global property"),)


def perform(
    call: dokku_call.Call,
    plugin: str,
    checks: Mapping[str, validation.Check],
    *,
    only_for_apps: frozenset[str] = frozenset(),
    only_for_host: frozenset[str] = frozenset(),
    suggest: Callable[[str, str], str] = lambda _app, _name: "",
) -> int:
    """Set a property, or unset it if no value is given.

    Args:
        call: The call.
        plugin: The folder of the properties.
        checks: The validator of each property.
        only_for_apps: The properties that cannot be set globally.
        only_for_host: The properties that can only be set globally.
        suggest: Returns what to do about an unknown property of an app; empty if
            nothing is known.
    """
    app, name, value = _read(call)
    if app != policy.GLOBAL:
        apps.verify(call, app)
        if name in only_for_host:
            raise dokku_call.DokkuError(
                f"Property can only be specified globally: dokku {call.name} --global"
                f" {name} VALUE"
            )
    elif name in only_for_apps or (name not in checks and plugin == policy.CORE):
        raise dokku_call.DokkuError("Property cannot be specified globally")
    if not name:
        raise dokku_call.DokkuError("No property specified")
    if name not in checks:
        listed = ", ".join(sorted(checks))
        raise dokku_call.DokkuError(
            f"Invalid property specified, valid properties include: {listed}"
            f"{suggest(app, name)}"
        )
    identity.become_owner(Path(call.lib_root, "config"), call.environ)
    if value:
        _store(call, (plugin, app, name), _checked(checks[name], app, name, value))
    else:
        _remove(call, (plugin, app, name))
    return 0


def _read(call: dokku_call.Call) -> tuple[str, str, str]:
    """Return app, property and value."""
    try:
        parsed = pflag.FlagSet(call.name, _FLAGS).parse(call.arguments)
    except pflag.UsageError as error:
        raise dokku_call.DokkuError(
            str(error), status=error.status, is_raw=True
        ) from error
    if "global" in parsed.switches:
        return policy.GLOBAL, parsed.argument(0), parsed.argument(1)
    return parsed.argument(0), parsed.argument(1), parsed.argument(2)


def _checked(
    check: validation.Check, app: str, name: str, value: str
) -> validation.Accepted:
    if not value.strip():
        raise dokku_call.DokkuError(
            f"{name} must not be blank; to unset it, omit the value"
        )
    if value.encode(errors="replace").decode() != value:
        raise dokku_call.DokkuError(f"{name} must be UTF-8, not {value!r}")
    return check(app, value)


def _store(
    call: dokku_call.Call,
    place: tuple[str, str, str],
    accepted: validation.Accepted,
) -> None:
    plugin, app, name = place
    property_edits.put(_root(call, plugin), app, name, accepted.text)
    call.headline(f"Setting {name} to {accepted.text}")
    if accepted.warning:
        call.warn(accepted.warning)


def _remove(call: dokku_call.Call, place: tuple[str, str, str]) -> None:
    plugin, app, name = place
    try:
        property_edits.remove(_root(call, plugin), app, name)
    except OSError as error:
        raise dokku_call.DokkuError(
            f"Unable to remove {plugin} property {app}.{name}: {error.strerror}"
        ) from error
    call.headline(f"Unsetting {name}")


def _root(call: dokku_call.Call, plugin: str) -> Path:
    return Path(call.lib_root, "config", plugin)
