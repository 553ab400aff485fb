"""What Dokku is told to run at peace: each app's latest deploy that went live.

A deploy that was broken off, refused, or whose checks failed is never told, nor do
Dokku's counter or tags that move stay at it. What was released with push off is in no
registry, and no record of an older push comes back over it.
"""

from collections.abc import Iterator

from dokku_registryd.core.image import images
from torture import settling
from torture.apps import App, Deploy
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.neighbour import Arrival
from torture.stored import Stored, Violation

LOCAL = "\n\n0\n"
"""How the record of an app begins that runs a release without a push."""


def violations(host: TortureHost, deeds: Deeds, stored: Stored) -> Iterator[Violation]:
    """Give all that is wrong with what Dokku is told, or was told in a deploy."""
    for text in deeds.wrong:
        yield "other", text
    yield from _failed_deploys(host, deeds)
    for app in deeds.apps:
        yield from _what_runs(host, app, stored)
    yield from _pushed_with_push_off(deeds, stored)
    for arrival in host.neighbour.arrivals if host.neighbour else ():
        yield from _arrived(host, arrival, stored)


def bad_jobs(host: TortureHost, deeds: Deeds) -> set[str]:
    """Return the jobs of releases whose hooks failed, where Dokku could note that."""
    failed = {
        deploy.build
        for deploy in deeds.deploys
        if deploy.result is not None
        and not deploy.is_deploy_continued
        and deploy.has_noted_end
    }
    rows = settling.rows(host, "SELECT job_id, build FROM releases")
    return {job_id for job_id, build in rows if build in failed}


def _failed_deploys(host: TortureHost, deeds: Deeds) -> Iterator[Violation]:
    """What never ran is neither live nor counted."""
    query = "SELECT build, app, number, live_at FROM releases WHERE build != ''"
    known = {row[0]: row[1:] for row in settling.rows(host, query)}
    for deploy in deeds.deploys:
        if deploy.is_live is not False or deploy.build not in known:
            continue
        app, number, live_at = known[deploy.build]
        if live_at:
            yield "other", f"{app}:{number} counts as live, and its deploy failed"
        counter = host.site.host.read_property(app, "tag-version")
        if deploy.app in deeds.apps and counter == str(number):
            yield "other", f"tag-version of {app} is {number}, whose deploy failed"


def _what_runs(host: TortureHost, app: App, stored: Stored) -> Iterator[Violation]:
    if not app.deploys or app.may_lack_images:
        return
    latest = next(
        (deploy for deploy in reversed(app.deploys) if deploy.is_live is not False),
        None,
    )
    if latest is not None and latest.is_live is None:
        return  # Dokku itself cannot know.
    if latest is not None and latest.is_local:
        record = host.site.host.data_dir / "deployed" / app.name
        told = record.read_text() if record.exists() else LOCAL
        if not told.startswith(LOCAL):
            text = f"{app.name} runs without a push, and is told {told!r}"
            yield "other", text
        return
    if latest is not None and latest.may_be_lost:
        return
    told = host.site.deployed_later(app.name)
    manifest = _manifest(host, told, stored)
    if latest is None:
        if manifest is not None and _is_of(app.deploys, manifest):
            yield "other", f"{app.name} never went live, and is told {told}"
    elif manifest is None:
        yield "other", f"{app.name} is told {told}, which is in no registry"
    else:
        yield from _other_image(latest, told, manifest, stored)


def _other_image(
    latest: Deploy, told: str, manifest: images.Manifest, stored: Stored
) -> Iterator[Violation]:
    """What an app is told is its image, and for a promotion the very same bytes."""
    if not manifest.names_image(latest.image_id):
        text = f"is told {told}, which is not {latest.image_id[:19]}"
        yield "other", f"{latest.app.name} {text}"
    path, number = latest.repeats
    source = stored.manifests[path].get(number) if path else manifest
    if source is None or source.digest != manifest.digest:
        yield "other", f"{told} has other bytes than {path}:{number}"


def _manifest(host: TortureHost, told: str, stored: Stored) -> images.Manifest | None:
    """Return what the registry has under a name that Dokku is told."""
    name = told.removeprefix(f"{host.proxy.host}/")
    path, _, number = name.rpartition(":")
    return stored.manifests[path].get(number)


def _is_of(deploys: list[Deploy], manifest: images.Manifest) -> bool:
    return any(manifest.names_image(deploy.image_id) for deploy in deploys)


def _pushed_with_push_off(deeds: Deeds, stored: Stored) -> Iterator[Violation]:
    pushed = {deploy.image_id for deploy in deeds.deploys if not deploy.is_local}
    for deploy in deeds.deploys:
        if deploy.is_local and deploy.image_id not in pushed:
            for place in stored.numbers(deploy.image_id):
                yield "other", f"{place} was pushed, and push was off"


def _arrived(
    host: TortureHost, arrival: Arrival, stored: Stored
) -> Iterator[Violation]:
    """What the second host was let go on with is in the registry."""
    is_nowhere = not stored.numbers(arrival.image_id)
    # Deleted manifests are not known any more.
    if arrival.is_deploy_continued and is_nowhere and not host.deleted:
        yield "lost", f"the neighbour's {arrival.app} was accepted and is nowhere"
