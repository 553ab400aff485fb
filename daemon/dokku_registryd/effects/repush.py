"""Push: ensure that the registry has the deployed release of an app, with all parts.

For an operator whose registry lost its data or a part of it, or who wants to be sure.
The number does not change, and extra tags are restored with it; an image that another
client put under the number is not touched. A push that was given up counts as done
afterwards.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.image import images, reference, wanted
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release.releases import DeployedRelease, Release, ReleaseState
from dokku_registryd.effects.app import app_state, sight
from dokku_registryd.effects.deploy import precedence, reply_writer
from dokku_registryd.effects.registry import (
    checks,
    extra_tags,
    registry_session,
    repairs,
    sending,
)


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Push the deployed release if the registry lacks it or a part of it.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses, or has another image under the number.
    """
    state = app_state.state_of(context, job.app)
    deployed = wanted.deployed_of(state)
    if deployed is None:
        reason = "no release yet"
        if state.deployed is not None:
            reason = "its release was not pushed"
        reply.warning(f"{job.app} has nothing to push: {reason}")
        return outcomes.skipped(reason)
    target = deployed.reference
    release = wanted.release_of(state, deployed)
    _check_name(state, context, reply)
    image = reference.parse(target)
    session = registry_session.RegistrySession(
        context,
        app=job.app,
        domain=image.domain,
        direction=backoff.Direction.PUSH,
        check=lambda: precedence.give_way(job.app, target, context),
    )
    found = session.call(
        lambda auth: context.registry.manifest(image, auth=auth, for_push=True)
    )
    known = (release.digest if release else "") or deployed.digest or "not recorded"
    reply.detail(f"Checking release {deployed.number}: {target}, digest {known}")
    if found is None:
        return _push(job.app, deployed, release, session, context, reply)
    outcome = _judge(job.app, target, found, release, deployed.digest)
    lacked = repairs.Repair(
        app=job.app,
        name=target,
        digest=found.digest,
        release=release,
        session=session,
        context=context,
        reply=reply,
    ).run()
    if release is not None and _is_given_up(release):
        _settle(release, found.digest, session, context, reply)
    if not lacked:
        return outcome
    return outcomes.done(f"sent again: {lacked}", reference=target, digest=found.digest)


def _push(  # noqa: PLR0917 - one call, to keep `perform` short
    app: str,
    deployed: DeployedRelease,
    release: Release | None,
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> outcomes.Outcome:
    """Push a release that the registry does not have under its number."""
    target = deployed.reference
    image = reference.parse(target)
    local = context.engine.image(release.image_id if release else target)
    if local is None:
        raise errors.ImageNotFoundError(
            f"cannot push {target}: it is neither in the registry nor on this host."
            f" Rebuild the app with dokku ps:rebuild {app}"
        )
    # Another program may have moved the name to another image.
    context.engine.tag(local.image_id, target)
    reply.headline("Pushing image to registry")
    reply.detail(f"Pushing {target}")
    errand = sending.Errand(
        name=target,
        image_id=local.image_id,
        on_progress=reply.output,
        give_way=lambda: precedence.give_way(app, target, context),
    )
    handed = sending.hand_over(errand, session, context)
    if handed is None:
        sent = sending.push_directly(errand, session, context)
    else:
        sent = handed.manifest.digest
        found = session.call(
            lambda auth: context.registry.manifest(image, auth=auth, for_push=True)
        )
        if found is not None and found.digest != sent:
            return _judge(app, target, found, release, deployed.digest)
        errand.give_way()
        sending.put(image, handed.manifest, session, context)
    stored = session.call(
        lambda auth: context.registry.digest(image, auth=auth, for_push=True)
    )
    if stored != sent:
        raise errors.DigestMismatchError(
            f"{target} was pushed as {sent}, but the registry answers {stored}"
        )
    if release is not None:
        release = _settle(release, sent, session, context, reply)
        _note(release, handed, context)
    return outcomes.done("pushed again", reference=target, digest=sent)


def _note(
    release: Release, handed: sending.Handed | None, context: ports.Context
) -> None:
    """Record that the release is complete; without proof the next sweep asks."""
    if handed is not None:
        evidence = handed.evidence.plus(handed.manifest.digest)
        if checks.note_shown(release, handed.manifest, evidence, context):
            return
    context.ledger.forget_checks([release.job_id])


def _check_name(
    state: wanted.AppState, context: ports.Context, reply: reply_writer.ReplyWriter
) -> None:
    """Move the deployed name back to our image, if it points to another one here.

    Raises:
        DigestMismatchError: It does, and our image is not here.
    """
    entries = wanted.wanted_of(state, context.schedulers)
    for gap in sight.gaps(entries[:1], context):
        if not gap.leads_to:
            continue
        if not isinstance(gap, wanted.Retag):
            raise errors.DigestMismatchError(
                f"{gap.wanted.reference} points to another image on this host"
                f" ({gap.leads_to}), and the released image is not here. Restore it"
                f" with: dokku registryd:heal {gap.wanted.app}"
            )
        reply.detail(f"Tagging {gap.wanted.reference}")
        context.engine.tag(gap.image_id, gap.wanted.reference)


def _judge(
    app: str,
    target: str,
    found: images.Manifest,
    release: Release | None,
    digest: str,
) -> outcomes.Outcome:
    is_ours = _is_ours(found, release) if release else digest in {"", found.digest}
    if is_ours:
        return outcomes.skipped(
            "the registry has it", reference=target, digest=found.digest
        )
    raise errors.DigestMismatchError(
        f"the registry answers {found.digest} for {target}, which is not the released"
        f" image: another client pushed there. Release {app} again with dokku"
        f" ps:rebuild {app}"
    )


def _is_given_up(release: Release) -> bool:
    return release.is_deploy_continued and release.state is ReleaseState.FAILED


def _settle(
    release: Release,
    digest: str,
    session: registry_session.RegistrySession,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> Release:
    """Record the image in the registry, and update all references to the release."""
    release = context.ledger.update_release(release.job_id, digest=digest)
    context.ledger.forget_removals([release.job_id])
    tags = app_state.policy_of(context, release.app).extra_tags
    extra_tags.move(release, tags, session, context, reply)
    if not _is_given_up(release):
        return release
    context.properties.set(policy.CORE, release.app, "tag-version", str(release.number))
    return context.ledger.update_release(
        release.job_id,
        state=ReleaseState.PUSHED,
        pushed_at=context.clock.now(),
        error="",
    )


def _is_ours(found: images.Manifest, release: Release) -> bool:
    if release.digest:
        return found.digest == release.digest
    return found.names_image(release.image_id)
