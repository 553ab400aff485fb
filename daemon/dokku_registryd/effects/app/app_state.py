"""Reads what an app is and needs, as the values that `core.image.wanted` decides on."""

from collections.abc import Callable
from dataclasses import replace

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.image import needs, wanted
from dokku_registryd.core.release import releases


def policy_of(world: ports.World, app: str) -> policy.AppPolicy:
    """Return what an app's properties come to, read from their files.

    Raises:
        UnreadableError: One that decides where images go cannot be read.
    """
    return policy.resolve(app, world.properties.get, world.defaults)


def deadline_of(world: ports.World, app: str) -> float:
    """Return how long a deploy of an app waits; it never fails."""
    return policy.deadline_seconds(app, world.properties.get, world.defaults)


def state_of(world: ports.World, app: str) -> wanted.AppState:
    """Return one app's state."""
    return wanted.AppState(
        policy=policy_of(world, app),
        deployed=_recorded(world, app),
        releases=tuple(world.ledger.releases(app)),
        deploying=_told(world, app),
    )


def all_states(world: ports.World) -> tuple[list[wanted.AppState], dict[str, str]]:
    """Return the states of the apps that were ever pushed.

    Returns:
        The states, and why an app's state cannot be read, by the app.
    """
    is_companion = world.is_companion()
    told = _deploying(world)
    found: list[wanted.AppState] = []
    unread: dict[str, str] = {}
    with world.properties.look() as look:
        for app in world.properties.apps():
            try:
                state = _state_in(
                    world,
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
    world: ports.World, look: ports.Look, observed: wanted.Observed
) -> dict[str, needs.Need]:
    """Return what each app needs, worked out anew where anything has changed."""
    is_companion = world.is_companion()
    mark_of = world.ledger.release_marks()
    remembered = world.remembered
    apps = world.properties.apps()
    told = _deploying(world)
    found: dict[str, needs.Need] = {}
    for app in apps:
        try:
            deploying = told(app)
        except errors.UnreadableError:
            found[app] = _unknown(world, app, observed)
            remembered.pop(app, None)
            continue
        basis = (is_companion, mark_of(app), deploying)
        known = remembered.get(app)
        if (
            known is None
            or known.basis != basis
            or not look.is_unchanged(app, known.files)
        ):
            files = look.of(app)
            need = _need_in(
                world,
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


def _unknown(world: ports.World, app: str, observed: wanted.Observed) -> needs.Need:
    """Return the need of an app of which something cannot be read.

    `doctor` names the file, and a heal or a release of the app waits for it.
    """
    return needs.unknown(world.ledger.releases(app), observed.image_ids)


def _need_in(
    world: ports.World,
    files: ports.AppFiles,
    app: str,
    observed: wanted.Observed,
    *,
    is_companion: bool,
    deploying: tuple[releases.DeployedRelease, ...],
) -> needs.Need:
    try:
        state = _state_in(
            world, files, app, is_companion=is_companion, deploying=deploying
        )
    except errors.UnreadableError:
        return _unknown(world, app, observed)
    if state is None:
        return needs.NOTHING
    need = needs.need_of(state, world.schedulers, observed.image_ids)
    # Unread, `keep-releases` may say that more releases are to be kept.
    return need if files.is_whole else replace(need, left=())


def _state_in(
    world: ports.World,
    files: ports.AppFiles,
    app: str,
    *,
    is_companion: bool,
    deploying: tuple[releases.DeployedRelease, ...],
) -> wanted.AppState | None:
    if files.unread_record and not is_companion:
        raise errors.UnreadableError(files.unread_record)
    deployed = None if is_companion else files.deployed
    known = tuple(world.ledger.releases(app))
    is_counted = files.read(policy.CORE, app, "tag-version")
    if deployed is None and not is_counted and not known:
        return None  # Most apps of a host may be local ones.
    return wanted.AppState(
        policy=policy.resolve(app, files.read, world.defaults),
        deployed=deployed,
        releases=known,
        deploying=deploying,
    )


def _deploying(
    world: ports.World,
) -> Callable[[str], tuple[releases.DeployedRelease, ...]]:
    """Return what gives the releases that deploys of an app were told."""
    apps = frozenset(world.deploying.apps())
    return lambda app: _told(world, app) if app in apps else ()


def _told(world: ports.World, app: str) -> tuple[releases.DeployedRelease, ...]:
    """Return the releases that deploys of an app were told."""
    if world.is_companion():
        return ()
    return tuple(
        told.record
        for told in world.deploying.told(app).values()
        if not told.record.is_local
    )


def _recorded(world: ports.World, app: str) -> releases.DeployedRelease | None:
    """Return our record; Dokku's own plugin goes by its properties alone."""
    return None if world.is_companion() else world.deployed.deployed(app)
