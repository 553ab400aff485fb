"""Shared by `registry:report` and `registryd:report`."""

from collections.abc import Callable

from dokku_registryd.core.dokku import computed, pflag, report
from dokku_registryd.core.text import terminal_text
from dokku_registryd.verbs.dokku import apps
from dokku_registryd.verbs.dokku import call as dokku_call

RowsOf = Callable[[str], report.Rows]


def perform(
    call: dokku_call.Call, plugin: str, rows_of: RowsOf, *, has_legacy_keys: bool
) -> int:
    """Print the requested report.

    Args:
        call: The call.
        plugin: The first word of each row.
        rows_of: Returns the rows of an app, or of `--global`.
        has_legacy_keys: Whether JSON also has each key with the plugin's name.
    """
    try:
        request = report.parse(call.name, call.arguments)
        for app in _wanted(call, request):
            request.check()
            rows = rows_of(app)
            if request.info_flag:
                call.line(report.single(rows, request.info_flag))
            elif request.form == report.JSON:
                document = report.as_json(plugin, rows, has_legacy_keys=has_legacy_keys)
                call.line(terminal_text.escaped(document))
            else:
                found = report.lines(plugin, app, rows, is_quiet=call.is_quiet)
                call.line("\n".join(found))
    except pflag.UsageError as error:
        raise dokku_call.DokkuError(
            str(error), status=error.status, is_raw=True
        ) from error
    return 0


def _wanted(call: dokku_call.Call, request: report.Request) -> list[str]:
    if request.app == computed.GLOBAL:
        return [request.app]
    if request.app:
        apps.verify(call, request.app)
        return [request.app]
    found = apps.existing(call)
    if not found:
        call.warn("You haven't deployed any applications yet")
    return found
