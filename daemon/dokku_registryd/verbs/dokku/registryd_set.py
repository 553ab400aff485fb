"""`registryd:set`: the properties of this plugin."""

from dokku_registryd.core.dokku import policy, validation
from dokku_registryd.verbs.dokku import call as dokku_call
from dokku_registryd.verbs.dokku import setting


def perform(call: dokku_call.Call) -> int:
    """Set or unset a property; the daemon reads it on use."""
    call.arguments = _with_numbers(call.arguments)
    return setting.perform(
        call,
        policy.OURS,
        validation.REGISTRYD,
        only_for_apps=validation.REGISTRYD_OF_APPS,
        only_for_host=validation.REGISTRYD_OF_HOST,
        suggest=_suggest,
    )


def _suggest(app: str, name: str) -> str:
    """Name the command of a property of Dokku's plugin, or a similar property."""
    if name in validation.REGISTRY:
        return f". To set {name}, run: dokku registry:set {app} {name}"
    near = dokku_call.nearest(name, validation.REGISTRYD)
    return f". Did you mean {near}?" if near else ""


def _with_numbers(arguments: list[str]) -> list[str]:
    """Treat a negative number as a value, which is then rejected, not as a flag."""
    for at, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument[:1] == "-" and argument[1:2].isdigit():
            return [*arguments[:at], "--", *arguments[at:]]
    return arguments
