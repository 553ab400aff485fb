"""Reads what an app is and needs, as the values that `core.wanted` decides on."""

from dataclasses import replace

from dokku_registryd import ports
from dokku_registryd.core import needs, properties, releases, wanted


def policy_of(world: ports.World, app: str) -> properties.AppPolicy:
    """Return what an app's properties come to, read anew."""
    return properties.resolve(app, world.properties.get, world.defaults)


def state_of(world: ports.World, app: str) -> wanted.AppState:
    """Return one app's state, with the releases that tell of what it runs."""
    state = wanted.AppState(
        policy=policy_of(world, app), deployed=_recorded(world, app)
    )
    return replace(state, releases=_about(world, state))


def _about(world: ports.World, state: wanted.AppState) -> tuple[releases.Release, ...]:
    """Return the release that runs, and one that tells its digest if it does not."""
    app, deployed = state.policy.app, wanted.deployed_of(state)
    if deployed is None:
        return ()
    release = world.ledger.release_under(app, deployed)
    if release is None:
        return ()
    known = None
    if not release.digest:
        known = world.ledger.release_with_digest(
            release.image_id, release.repository, app=app
        )
    return (release, known) if known else (release,)


def all_states(world: ports.World) -> list[wanted.AppState]:
    """Return the states of the apps that were ever pushed."""
    is_companion = world.is_companion()
    with world.properties.look() as look:
        found = [
            _state_in(world, look.of(app), app, is_companion=is_companion)
            for app in world.properties.apps()
        ]
    return [state for state in found if state is not None]


def all_needs(
    world: ports.World, look: ports.Look, observed: wanted.Observed
) -> dict[str, needs.Need]:
    """Return what each app needs, worked out anew where anything has changed."""
    is_companion = world.is_companion()
    mark_of = world.ledger.release_marks()
    remembered = world.remembered
    apps = world.properties.apps()
    for app in apps:
        basis = (is_companion, mark_of(app))
        known = remembered.get(app)
        if (
            known is None
            or known.basis != basis
            or not look.is_unchanged(app, known.files)
        ):
            files = look.of(app)
            state = _state_in(world, files, app, is_companion=is_companion)
            need = needs.NOTHING
            if state is not None:
                need = needs.need_of(state, world.schedulers, observed.image_ids)
            if not files.is_whole:
                # Who knows how many releases are to be kept?
                need = replace(need, left=())
            remembered[app] = ports.Remembered(files.mark, basis, need)
    for app in remembered.keys() - set(apps):
        del remembered[app]
    return {app: remembered[app].need for app in apps}


def _state_in(
    world: ports.World, files: ports.AppFiles, app: str, *, is_companion: bool
) -> wanted.AppState | None:
    deployed = None if is_companion else files.deployed
    known = tuple(world.ledger.releases(app))
    is_counted = files.read(properties.CORE, app, "tag-version")
    if deployed is None and not is_counted and not known:
        return None  # Most apps of a host may be local ones.
    return wanted.AppState(
        policy=properties.resolve(app, files.read, world.defaults),
        deployed=deployed,
        releases=known,
    )


def _recorded(world: ports.World, app: str) -> releases.DeployedRelease | None:
    """Return our record; Dokku's own plugin goes by its properties alone."""
    return None if world.is_companion() else world.deployed.deployed(app)
