"""`hold`: keep an app as it is, or a release for good; `--off` ends that."""

import argparse
import os
from collections.abc import Callable

from dokku_registryd import config, errors
from dokku_registryd.adapters.dokku import property_edits
from dokku_registryd.core.dokku import policy, validation
from dokku_registryd.core.release import holds
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.output import Output
from dokku_registryd.wiring import properties

_PROPERTY = "hold"


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Add or remove one hold, and say which ones the app has now.

    Raises:
        RegistrydError: There is no such app, or its holds cannot be read or written.
    """
    settings = preparation.enter(arguments, out)
    preparation.check_app(arguments, arguments.app)
    number = int(arguments.number) if arguments.number else None
    if not arguments.off:
        _check_known(settings, arguments.app, number, out)
    after = _edit(
        settings,
        arguments.app,
        lambda before: (
            before.without(number)
            if arguments.off
            else before.with_hold(number, arguments.reason)
        ),
    )
    if arguments.format == "json":
        out.json(_as_json(arguments.app, after))
    else:
        out.line(_said(arguments.app, number, after))
    return 0


def _edit(
    settings: config.Settings, app: str, change: Callable[[holds.Holds], holds.Holds]
) -> holds.Holds:
    """Change the holds of an app, which no other command does meanwhile."""
    root = settings.config_root / policy.OURS
    try:
        with property_edits.locked(root, app) as folder:
            before = _read(settings, app)
            after = change(before)
            if after != before:
                _write(folder, app, after)
    except OSError as error:
        raise errors.TransientError(
            f"cannot write {root / app / _PROPERTY}: {os.strerror(error.errno or 0)}"
        ) from error
    return after


def _read(settings: config.Settings, app: str) -> holds.Holds:
    files = properties.build_properties(settings)
    # A part that cannot be understood is lost here, as in `registryd:set`.
    return holds.parse(files.get(policy.OURS, app, _PROPERTY))[0]


def _write(
    folder: property_edits.PropertyFolder, app: str, wanted: holds.Holds
) -> None:
    text = holds.render(wanted)
    if text:
        validation.hold(app, text)
        folder.put(_PROPERTY, text)
    else:
        folder.remove(_PROPERTY)


def _check_known(
    settings: config.Settings, app: str, number: int | None, out: Output
) -> None:
    """Warn about a number that no recorded release has: it may be a slip."""
    if number is None:
        return
    book = preparation.read_ledger(settings)
    rows = book.releases(app) if book else []
    if book:
        book.close()
    if all(row.number != number for row in rows):
        out.error(f"No release {number} of {app} is recorded; it is held all the same")


def _said(app: str, number: int | None, now: holds.Holds) -> str:
    if number is None:
        if now.app_reason is None:
            return (
                f"{app} is not held: it may be rolled back and promoted to."
                f"{_still(now)}"
            )
        return (
            f"{app} is held{_because(now.app_reason)}: only a deploy replaces what it"
            " runs."
        )
    if number not in now.numbers:
        return f"Release {number} of {app} is not held."
    return (
        f"Release {number} of {app} is held{_because(now.numbers[number])}: nothing"
        " removes it."
    )


def _still(now: holds.Holds) -> str:
    """Return which releases stay held when the app is not."""
    if not now.numbers:
        return ""
    listed = ", ".join(map(str, sorted(now.numbers)))
    releases = "Release" if len(now.numbers) == 1 else "Releases"
    stay = "stays" if len(now.numbers) == 1 else "stay"
    return f" {releases} {listed} {stay} held."


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _as_json(app: str, now: holds.Holds) -> dict[str, object]:
    return {
        "app": app,
        "is_held": now.is_app_held,
        "reason": now.app_reason or "",
        "releases": [
            {"number": number, "reason": now.numbers[number]}
            for number in sorted(now.numbers)
        ],
    }
