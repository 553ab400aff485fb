"""Reads the state of apps, as the values on which `core.image.wanted` decides."""

from collections.abc import Callable
from dataclasses import replace

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.image import needs, wanted
from dokku_registryd.core.release import releases


def policy_of(context: ports.Context, app: str) -> policy.AppPolicy:
    """Return an app's policy, read from its property files.

    Raises:
        UnreadableError: A property that decides where images go cannot be read.
    """
    return policy.resolve(app, context.properties.get, _defaults(context))


def deadline_of(context: ports.Context, app: str) -> float:
    """Return how many seconds a deploy of an app waits; never fails."""
    return policy.deadline_seconds(app, context.properties.get, context.defaults)


def state_of(context: ports.Context, app: str) -> wanted.AppState:
    """Return one app's state."""
    return wanted.AppState(
        policy=policy_of(context, app),
        deployed=_recorded(context, app),
        releases=tuple(context.ledger.releases(app)),
        deploying=_told(context, app),
    )


def all_states(context: ports.Context) -> tuple[list[wanted.AppState], dict[str, str]]:
    """Return the states of the apps that were ever pushed.

    Returns:
        The states, and for each unreadable app the reason.
    """
    is_companion = context.is_companion()
    context = replace(context, defaults=_defaults(context))
    told = _deploying(context)
    found: list[wanted.AppState] = []
    unread: dict[str, str] = {}
    with context.properties.look() as look:
        for app in context.properties.apps():
            try:
                state = _state_in(
                    context,
                    look.of(app),
                    app,
                    is_companion=is_companion,
                    deploying=told(app),
                )
            except errors.UnreadableError as error:
                unread[app] = str(error)
            else:
                found += [state] if state is not None else []
    return found, unread


def all_needs(
    context: ports.Context, look: ports.Snapshot, observed: wanted.Observed
) -> dict[str, needs.Need]:
    """Return the needs of each app, computed again if anything has changed."""
    is_companion = context.is_companion()
    context = replace(context, defaults=_defaults(context))
    mark_of = context.ledger.release_marks()
    remembered = context.remembered
    apps = context.properties.apps()
    told = _deploying(context)
    found: dict[str, needs.Need] = {}
    for app in apps:
        try:
            deploying = told(app)
        except errors.UnreadableError:
            found[app] = _unknown(context, app, observed)
            remembered.pop(app, None)
            continue
        basis = (
            is_companion,
            context.defaults.skip_cleanup,
            mark_of(app),
            deploying,
        )
        known = remembered.get(app)
        if (
            known is None
            or known.basis != basis
            or not look.is_unchanged(app, known.files)
        ):
            files = look.of(app)
            need = _need_in(
                context,
                files,
                app,
                observed,
                is_companion=is_companion,
                deploying=deploying,
            )
            remembered[app] = ports.Remembered(files.mark, basis, need)
        found[app] = remembered[app].need
    for app in remembered.keys() - set(apps):
        del remembered[app]
    return found


def _unknown(context: ports.Context, app: str, observed: wanted.Observed) -> needs.Need:
    """Return the need of an app with an unreadable file.

    `doctor` names the file; a heal or a release of the app waits for it.
    """
    return needs.unknown(context.ledger.releases(app), observed.image_ids)


def _need_in(
    context: ports.Context,
    files: ports.AppFiles,
    app: str,
    observed: wanted.Observed,
    *,
    is_companion: bool,
    deploying: tuple[releases.DeployedRelease, ...],
) -> needs.Need:
    try:
        state = _state_in(
            context, files, app, is_companion=is_companion, deploying=deploying
        )
    except errors.UnreadableError:
        return _unknown(context, app, observed)
    if state is None:
        return needs.NOTHING
    need = needs.need_of(state, context.schedulers, observed.image_ids)
    # The unreadable property may require more releases to be kept.
    return need if files.is_whole else replace(need, left=())


def _state_in(
    context: ports.Context,
    files: ports.AppFiles,
    app: str,
    *,
    is_companion: bool,
    deploying: tuple[releases.DeployedRelease, ...],
) -> wanted.AppState | None:
    if files.unread_record and not is_companion:
        raise errors.UnreadableError(files.unread_record)
    deployed = None if is_companion else files.deployed
    known = tuple(context.ledger.releases(app))
    is_counted = files.read(policy.CORE, app, "tag-version")
    if deployed is None and not is_counted and not known:
        return None  # Most apps of a host may not use a registry.
    return wanted.AppState(
        policy=policy.resolve(app, files.read, context.defaults),
        deployed=deployed,
        releases=known,
        deploying=deploying,
    )


def _deploying(
    context: ports.Context,
) -> Callable[[str], tuple[releases.DeployedRelease, ...]]:
    """Return a function from app to the releases that its deploys were told."""
    apps = frozenset(context.deploying.apps())
    return lambda app: _told(context, app) if app in apps else ()


def _told(context: ports.Context, app: str) -> tuple[releases.DeployedRelease, ...]:
    """Return the releases that deploys of an app were told."""
    if context.is_companion():
        return ()
    return tuple(
        told.record
        for told in context.deploying.told(app).values()
        if not told.record.is_local
    )


def _defaults(context: ports.Context) -> policy.Defaults:
    """Return the defaults of an app's policy, with the present value of a variable."""
    return replace(context.defaults, skip_cleanup=context.is_cleanup_off())


def _recorded(context: ports.Context, app: str) -> releases.DeployedRelease | None:
    """Return our record; None if Dokku's own plugin is in charge."""
    return None if context.is_companion() else context.deployed.deployed(app)
