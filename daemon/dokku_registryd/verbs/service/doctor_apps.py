"""The app checks of `doctor`: would a push and a pull work now?

The checks of one app depend on each other, so they run in order and stop at the first
failure; apps are checked in parallel.
"""

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import preflight
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding
from dokku_registryd.effects.app import app_state
from dokku_registryd.verbs.service import (
    doctor_mirror,
    doctor_names,
    doctor_properties,
    doctor_registry,
    doctor_release,
)
from dokku_registryd.verbs.service.doctor_context import DoctorContext

_PARALLEL = 8
_TOTAL_SECONDS = 120.0


def examine(around: DoctorContext, *, only: str | None) -> Iterator[Finding]:
    """Yield the findings about one app, or about all apps."""
    # Missing apps are findings of the host.
    every = list(around.context.properties.root().apps)
    apps = [only] if only else every
    around.sharing = _sharing(around.context, every)
    pool = ThreadPoolExecutor(_PARALLEL, "doctor")
    asked = {name: pool.submit(_look, around, name, bool(only)) for name in apps}
    wait(asked.values(), _TOTAL_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    for name, future in asked.items():
        if future.done() and not future.cancelled():
            yield from future.result()
        else:
            yield findings.warn(
                "app",
                f"not checked within {_TOTAL_SECONDS:g} s. Check it alone with: dokku"
                f" registryd:doctor {name}",
                app=name,
            )


def _sharing(context: ports.Context, apps: Iterable[str]) -> dict[str, str]:
    policies = {}
    for app in apps:
        # The checks of the app report what cannot be read.
        with contextlib.suppress(errors.RegistrydError):
            policies[app] = app_state.policy_of(context, app)
    shared = preflight.shared_repositories(policies.values())
    return {
        app: preflight.sharing(policies[app], others) for app, others in shared.items()
    }


def _look(around: DoctorContext, app: str, is_named: bool) -> list[Finding]:  # noqa: FBT001 - given to a pool
    try:
        return list(_app(around, app, is_named=is_named))
    except errors.RegistrydError as error:
        return [findings.fail("app", str(error), app=app)]
    except Exception as error:  # noqa: BLE001 - the other apps are checked anyway
        kind = type(error).__name__
        return [
            findings.fail(
                "app",
                f"not checked because of a bug in dokku-registryd ({kind}). Please"
                " report it",
                app=app,
            )
        ]


def _app(around: DoctorContext, app: str, *, is_named: bool) -> Iterator[Finding]:
    for path in around.context.deploying.odd(app):
        yield findings.warn(
            "deploy",
            f"{path} is not a regular file and is ignored. Remove it",
            app=app,
        )
    state = app_state.state_of(around.context, app)
    policy = state.policy
    if not policy.push_on_release:
        yield from doctor_properties.about_switch(around.context, app, is_named)
        yield from doctor_names.examine(
            around.context, state, is_healing=around.is_healing
        )
        return
    yield from doctor_properties.about_release(
        around.context, state, around.config_root
    )
    if app in around.sharing:
        yield findings.warn("repository", around.sharing[app], app=app)
    try:
        image = reference.parse(f"{policy.server}{policy.image_repo}:1")
    except errors.InvalidReferenceError:
        return  # Reported above.
    release = doctor_release.ReleaseChecks(around, state, is_named)
    found = list(doctor_registry.examine(around, state, image, release))
    yield from doctor_names.examine(
        around.context, state, is_healing=around.is_healing, is_gone=release.is_gone
    )
    yield from found
    yield from doctor_mirror.examine(
        state,
        around.context,
        credentials=around.credentials,
        registry=around.registry,
        ping=around.ping,
    )
