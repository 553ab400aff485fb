"""What must hold after every life, looked at from outside."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from torture import belongings, records, settling, told
from torture.apps import Deploy
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.stored import Stored, Violation

KINDS: Final = ("lost", "duplicated", "overwritten")


def violations(host: TortureHost, deeds: Deeds) -> list[Violation]:
    """Return all that is wrong with a host at peace."""
    stored = Stored(host)
    found: list[Violation] = []
    found += _overwritten(host)
    found += _releases(host, deeds, stored)
    found += _jobs(host, deeds)
    found += _tags(host, deeds, stored)
    found += _removals(host, deeds, stored)
    found += _copies(host, deeds, stored)
    found += records.violations(host, deeds, stored)
    found += _counters(host, deeds, stored)
    found += _deployed(host, deeds)
    found += told.violations(host, deeds, stored)
    found += belongings.violations(host, deeds)
    found += _refusals(deeds)
    found += _remains(host, deeds)
    found += [("other", f"a secret in {place}") for place in host.leaks()]
    return found


def _overwritten(host: TortureHost) -> Iterator[Violation]:
    digests: dict[tuple[str, str], set[str]] = defaultdict(set)
    for put in host.proxy.puts:
        if put.tag.isdigit():
            digests[(put.path, put.tag)].add(put.digest)
    for (path, tag), seen in digests.items():
        if len(seen) > 1:
            yield "overwritten", f"{path}:{tag} was {' and '.join(sorted(seen))}"


def _releases(host: TortureHost, deeds: Deeds, stored: Stored) -> Iterator[Violation]:
    query = (
        "SELECT image_id FROM releases JOIN removals USING (job_id)"
        " WHERE removed_at > 0"
    )
    removed = {image_id for (image_id,) in settling.rows(host, query)}
    for deploy in deeds.deploys:
        where = stored.numbers(deploy.image_id) or deploy.image_id in removed
        if deploy.is_deploy_continued and not deploy.may_be_lost and not where:
            yield "lost", f"{_name(deploy)} was accepted and is in no registry"
    # Each release has one number; one more is explained where it was taken.
    renumbered = sum(
        '"event": "release.renumbered"' in line for line in host.log_lines()
    )
    pushed = [deploy for deploy in deeds.deploys if not deploy.is_local]
    images = {deploy.image_id for deploy in pushed}
    numbers = sum(len(stored.numbers(image_id)) for image_id in images)
    extra = numbers - len(pushed)
    if extra > renumbered:
        yield "duplicated", f"{extra} numbers too many, {renumbered} explained"


def _jobs(host: TortureHost, deeds: Deeds) -> Iterator[Violation]:
    known = dict(settling.rows(host, "SELECT job_id, ending FROM jobs"))
    for name in deeds.triggers:
        if not host.was_ledger_lost and not known.get(name):
            yield "lost", f"trigger {name} has no outcome"
    for job_id, count in host.finished_jobs().items():
        # Who lost the ledger does again what lies in the spool; see `_releases`.
        if count > 1 and not host.was_ledger_lost:
            yield "duplicated", f"job {job_id} finished {count} times"
    for job_id, ending in settling.rows(
        host,
        "SELECT releases.job_id, ending FROM releases LEFT JOIN jobs USING (job_id)"
        " WHERE ending IS NULL AND releases.job_id NOT LIKE 'adopted-%'",
    ):
        if not host.was_ledger_lost and not _is_hopeless(host, deeds, job_id):
            yield "other", f"release {job_id} ended as {ending}"


def _is_hopeless(host: TortureHost, deeds: Deeds, job_id: str) -> bool:
    names = {app.name for app in deeds.apps if app.may_lack_images}
    query = "SELECT job_id, app FROM releases"
    return dict(settling.rows(host, query)).get(job_id) in names


def _tags(host: TortureHost, deeds: Deeds, stored: Stored) -> Iterator[Violation]:
    """A tag that moves is at a release that did not fail."""
    rows = settling.rows(
        host,
        "SELECT image_repo, number, digest,"
        " state = 'failed' OR failed_at > 0, job_id FROM releases WHERE digest != ''",
    )
    failed = told.bad_jobs(host, deeds)
    bad = {(row[0], row[2]): row[1] for row in rows if row[3] or row[4] in failed}
    good = {(row[0], row[2]) for row in rows if not row[3] and row[4] not in failed}
    # A tag that was not there before a release cannot be taken away.
    new = set(
        settling.rows(
            host,
            "SELECT image_repo, tag FROM tag_moves JOIN releases USING (job_id)"
            " WHERE previous IN ('', '?')",
        )
    )
    for path, tags in stored.manifests.items():
        for tag, manifest in tags.items():
            place = (path, manifest.digest)
            # A registry that lets no tag move keeps those that had just been made.
            is_stuck = (path, tag) in host.proxy.refused or (path, tag) in new
            if tag.isdigit() or is_stuck:
                continue
            if place in bad and place not in good:
                yield "other", f"{path}:{tag} is at {bad[place]}, which failed"


def _removals(host: TortureHost, deeds: Deeds, stored: Stored) -> Iterator[Violation]:
    """What a prune has removed is gone and recorded, and what runs is not removed."""
    query = (
        "SELECT image_repo, number, digest, removed_at FROM releases"
        " JOIN removals USING (job_id)"
    )
    removed = {}
    for path, number, digest, removed_at in settling.rows(host, query):
        removed[(path, str(number))] = digest
        manifest = stored.manifests[path].get(str(number))
        if not removed_at:
            yield "other", f"the removal of {path}:{number} never ended"
        elif manifest is not None and manifest.digest == digest:
            yield "other", f"{path}:{number} is recorded as removed, but is there"
    for app in deeds.apps:
        path, number = settling.deployed(host, app.name)
        if (path, number) in removed:
            yield "lost", f"{app.name} runs {path}:{number}, which was removed"
        kept = {manifest.digest for manifest in stored.manifests[path].values()}
        digest = next(
            (
                put.digest
                for put in host.proxy.puts
                if (put.path, put.tag) == (path, number)
            ),
            "",
        )
        if digest and digest not in kept | host.deleted and removed:
            yield "lost", f"the image of {path}:{number} went with another number"


def _copies(host: TortureHost, deeds: Deeds, stored: Stored) -> Iterator[Violation]:
    """A mirror has what its app runs, with the same digest."""
    for app in deeds.apps:
        mirror = host.site.host.read_property(app.name, "mirror", plugin="registryd")
        path, number = settling.deployed(host, app.name)
        manifest = stored.manifests[path].get(number)
        if not mirror or manifest is None:
            continue
        copies = stored.manifests[mirror.partition("/")[2]].values()
        if manifest.digest not in {copy.digest for copy in copies}:
            yield "other", f"the mirror {mirror} lacks {path}:{number}"


def _counters(host: TortureHost, deeds: Deeds, stored: Stored) -> Iterator[Violation]:
    """Dokku's counter is a number that is in a registry."""
    known = {tag for tags in stored.manifests.values() for tag in tags}
    known |= {put.tag for put in host.proxy.puts if put.digest in host.deleted}
    for app in deeds.apps:
        number = host.site.host.read_property(app.name, "tag-version")
        if number and number not in known:
            yield "other", f"tag-version of {app.name} is {number}, in no registry"


def _deployed(host: TortureHost, deeds: Deeds) -> Iterator[Violation]:
    """The release that Dokku is told to run is not a failed one."""
    query = (
        "SELECT image_repo, number, job_id FROM releases"
        " WHERE state = 'failed' OR failed_at > 0"
    )
    failed = {
        (path, str(number)): job for path, number, job in settling.rows(host, query)
    }
    for app in deeds.apps:
        path, number = settling.deployed(host, app.name)
        if (path, number) in failed:
            yield "other", f"{app.name} is at {number}, which failed"


def _refusals(deeds: Deeds) -> Iterator[Violation]:
    """Once nothing refuses a release any more, the next one works."""
    for deploy in deeds.deploys:
        if deploy.must_succeed and not deploy.is_deploy_continued:
            yield "other", f"{_name(deploy)} failed in peace: {deploy.result}"


def _remains(host: TortureHost, deeds: Deeds) -> Iterator[Violation]:
    """Of an app that is gone nothing is left."""
    site = host.site.host
    for name in sorted(deeds.gone):
        folders = (
            site.config_root / "registry" / name,
            site.config_root / "registryd" / name,
            site.data_dir / "deployed" / name,
            site.data_dir / "noted" / name,
        )
        for place in folders:
            if place.exists():
                yield "other", f"{name} is gone, but left {place}"
        # A release that was asked for after the end of its app has failed.
        left = [
            number
            for app, number, state in settling.rows(
                host, "SELECT app, number, state FROM releases"
            )
            if app == name and state != "failed"
        ]
        if left:
            yield "other", f"{name} is gone, but left releases {left}"
    forgotten = site.data_dir / "forgotten"
    if forgotten.exists() and any(forgotten.iterdir()):
        yield "other", f"left {sorted(path.name for path in forgotten.iterdir())}"
    if not deeds.apps and not host.keychain.is_empty:
        yield "other", "the keychain still holds a login"


def _name(deploy: Deploy) -> str:
    return f"the release of {deploy.app.name} ({deploy.image_id[:19]})"
