"""Publish: put a record of an app's live release beside it in its registry.

A sweep requests it for each live release that has none, if the property
`release-records` is on. No job waits for it, and no answer of a registry makes it fail:
what could not be put is tried with a later sweep, or after a day if it was refused. The
record of a release is the same bytes at each attempt, so a second one changes nothing.
"""

from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, reference, wanted
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.registry import backoff, referrers
from dokku_registryd.core.release import release_records
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import registry_session

_ROUNDS: Final = 3
"""How often a list that another host has just replaced is extended again."""


def perform(
    job: jobs.Job,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> outcomes.Outcome:
    """Put the record of the live release, unless it is there."""
    del reply  # No hook waits for it.
    try:
        state = app_state.state_of(context, job.app)
        release = _live(state)
        if release is None or not state.policy.release_records:
            return outcomes.skipped("no release to record")
        known = context.ledger.puts().get(release.job_id)
        if known is not None and not known.is_due(context.clock.now()):
            return outcomes.skipped("its record was put before")
        return _publish(release, context)
    except (errors.TransientError, errors.InvalidRequestError) as error:
        return outcomes.skipped(f"not put: {error}")


def _live(state: wanted.AppState) -> Release | None:
    deployed = wanted.deployed_of(state)
    release = wanted.release_of(state, deployed) if deployed else None
    return release if release is not None and release.digest else None


def _publish(release: Release, context: ports.Context) -> outcomes.Outcome:
    facts = {"reference": release.reference, "digest": release.digest}
    now = context.clock.now()
    try:
        digest = _Publication(release, context).put()
    except (errors.PermanentError, errors.InvalidReferenceError) as error:
        refused = release_records.Put(job_id=release.job_id, digest="", at=now)
        context.ledger.note_put(refused)
        return outcomes.skipped(f"its registry takes no record: {error}", **facts)
    put = release_records.Put(job_id=release.job_id, digest=digest, at=now)
    context.ledger.note_put(put)
    return outcomes.done(f"its record is {digest}", **facts)


class _Publication:
    """The requests for one record."""

    def __init__(self, release: Release, context: ports.Context) -> None:
        self._release = release
        self._context = context
        self._registry = context.registry
        self._image = reference.parse(release.reference)
        self._session = registry_session.RegistrySession(
            context,
            app=release.app,
            domain=self._image.domain,
            direction=backoff.Direction.PUSH,
            check=self._give_way,
            is_aside=True,
        )

    def put(self) -> str:
        """Put the record, and return its digest.

        Raises:
            TransientError: The registry does not answer, or another job goes first.
            PermanentError: The registry refuses.
        """
        release, context = self._release, self._context
        subject = self._read(self._image.with_digest(release.digest))
        if subject is None:
            raise errors.ImageNotFoundError(
                f"the registry has no {release.digest} of {release.repository}"
            )
        notes = release_records.annotations_of(
            release, context.ledger.origin_of(release.job_id), context.host
        )
        record = release_records.artifact_of(subject, notes)
        self._put_empty()
        self._give_way()
        is_listed = self._session.call(
            lambda auth: self._registry.put_referrer(self._image, record, auth=auth)
        )
        if not is_listed:
            self._list(
                referrers.descriptor_of(record, release_records.ARTIFACT_TYPE, notes)
            )
        return record.digest

    def _put_empty(self) -> None:
        self._give_way()
        if self._session.call(
            lambda auth: self._registry.has_blob(
                self._image, referrers.EMPTY_DIGEST, auth=auth, for_push=True
            )
        ):
            return
        self._give_way()
        self._session.call(
            lambda auth: self._registry.put_blob(
                self._image, referrers.EMPTY_DIGEST, referrers.EMPTY, auth=auth
            )
        )

    def _list(self, entry: referrers.Descriptor) -> None:
        """Add the record to the list under its tag; other hosts may do so too."""
        place = self._image.with_tag(referrers.tag_of(self._release.digest))
        for _ in range(_ROUNDS):
            known = self._read(place)
            extended = referrers.with_entry(known.body if known else None, entry)
            if extended is None:
                return
            self._give_way()
            self._session.call(
                lambda auth, index=extended: self._registry.put_manifest(  # type: ignore[misc]
                    place, index, auth=auth
                )
            )
        raise errors.TransientError(
            f"other hosts replace {place.canonical} all the time"
        )

    def _read(self, image: reference.ImageReference) -> images.Manifest | None:
        self._give_way()
        return self._session.call(
            lambda auth: self._registry.manifest(image, auth=auth, for_push=True)
        )

    def _give_way(self) -> None:
        app = self._release.app
        if self._context.is_disowned(app) or self._context.has_urgent():
            raise errors.PreemptedError("other jobs go first")
