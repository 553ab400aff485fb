"""Reads what an app is and needs, as the values that `core.wanted` decides on."""

from collections import defaultdict

from dokku_registryd import ports
from dokku_registryd.core import properties, releases, wanted


def policy_of(world: ports.World, app: str) -> properties.AppPolicy:
    """Return what an app's properties come to, read anew."""
    return properties.resolve(app, world.properties.get, world.defaults)


def state_of(world: ports.World, app: str) -> wanted.AppState:
    """Return one app's state."""
    return wanted.AppState(
        policy=policy_of(world, app),
        deployed=_recorded(world, app),
        releases=tuple(world.ledger.releases(app)),
    )


def all_states(world: ports.World) -> list[wanted.AppState]:
    """Return the states of the apps that were ever pushed, by one ledger query."""
    of_app: dict[str, list[releases.Release]] = defaultdict(list)
    for release in world.ledger.releases():
        of_app[release.app].append(release)
    states = []
    read = world.properties.reader()
    is_companion = world.is_companion()
    for app in world.properties.apps():
        deployed = None if is_companion else world.deployed.deployed(app)
        is_counted = read(properties.CORE, app, "tag-version")
        if deployed is None and not is_counted and app not in of_app:
            continue  # Most apps of a host may be local ones: one look is enough.
        states.append(
            wanted.AppState(
                policy=properties.resolve(app, read, world.defaults),
                deployed=deployed,
                releases=tuple(of_app[app]),
            )
        )
    return states


def _recorded(world: ports.World, app: str) -> releases.DeployedRelease | None:
    """Return our record; Dokku's own plugin goes by its properties alone."""
    return None if world.is_companion() else world.deployed.deployed(app)
