"""The checks of `doctor` on properties: a release's own, and what it never reads."""

from collections.abc import Iterator
from pathlib import Path

from dokku_registryd import errors, ports
from dokku_registryd.adapters.dokku import property_survey
from dokku_registryd.core.dokku import (
    policy,
    property_names,
    tag_lists,
    validation,
)
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.registry import removal_advice
from dokku_registryd.core.release import numbering, preflight
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding

_CHECK = "properties"
_EXAMPLES = {
    "heal": "on",
    "hold": "38",
    "image-repo": "ORG/NAME",
    "image-repo-template": "'dokku/{{ .AppName }}'",
    "keep-releases": "1",
    "keep-remote": "10",
    "mirror": "HOST/REPOSITORY",
    "push-deadline": "15m",
    "push-extra-tags": "latest,stable",
    "push-policy": "wait",
    "release-records": "on",
    "server": "HOST",
}
_SHOWN = 40
"""Characters of a foreign value that are shown."""


def about_switch(
    context: ports.Context,
    app: str,
    is_named: bool,  # noqa: FBT001 - as `_look`
) -> Iterator[Finding]:
    """Yield findings about an app that does not push."""
    odd = preflight.odd_switch(app, context.properties.get)
    if odd is not None and odd[0] == app:
        yield _odd(*odd, app=app)
    elif is_named:
        yield findings.ok(
            "push",
            "off: releases stay on this host. Enable it with: dokku registry:set"
            f" {app} push-on-release true",
            app=app,
        )


def about_release(
    context: ports.Context, state: wanted.AppState, config_root: Path
) -> Iterator[Finding]:
    """Yield why the next release of an app would be refused, and what it ignores."""
    app = state.policy.app
    for text in preflight.objections(state.policy):
        cure = _cure(context, state, text, config_root)
        yield findings.fail(_CHECK, f"{text}{cure}", app=app)
    for text in state.policy.left_out:
        yield findings.warn(_CHECK, text, app=app)
    if not state.policy.server and state.policy.image_repo == f"dokku/{app}":
        yield findings.warn(
            _CHECK,
            f"neither server nor image-repo is set, so {app} pushes to"
            f" docker.io/dokku/{app}, which is another user's. Set them: dokku"
            f" registry:set {app} server HOST; dokku registry:set {app} image-repo"
            " USER/REPOSITORY",
            app=app,
        )
    yield from _about_prune(context, state.policy)
    templates = list(filter(tag_lists.is_template, state.policy.extra_tags))
    if templates and context.is_companion():
        yield findings.fail(
            _CHECK,
            f"push-extra-tags: {', '.join(templates)[:_SHOWN]} is a template, and"
            " Dokku's own plugin, which pushes here, takes it as a tag: its releases"
            f" fail. Correct it with: dokku registry:set {app} push-extra-tags"
            f" {_EXAMPLES['push-extra-tags']}",
            app=app,
        )


def _about_prune(context: ports.Context, values: policy.AppPolicy) -> Iterator[Finding]:
    """Yield why `keep-remote` removes nothing yet."""
    repository = f"{values.server}{values.image_repo}"
    consents = context.ledger.consents(context.machine)
    if values.keep_remote is None or repository in consents:
        return
    try:
        domain = reference.parse(repository).domain
    except errors.InvalidReferenceError:
        return  # The next release would be refused, which is said.
    text = (
        f"keep-remote is {values.keep_remote}, but nothing is removed from {repository}"
        f" before you agree on this host. See the plan with: dokku registryd:prune"
        f" {values.app}"
    )
    if removal_advice.is_known_unable(domain):
        text = f"keep-remote has no effect: {removal_advice.instead(domain)}"
    yield findings.warn("prune", text, app=values.app)


def on_host(
    properties: ports.Properties, config_root: Path, apps: frozenset[str]
) -> Iterator[Finding]:
    """Yield findings about global values, and about names that are no properties."""
    try:
        odd = preflight.odd_switch(policy.GLOBAL, properties.get)
    except errors.RegistrydError:
        odd = None  # A warning of `check` names the file.
    if odd is not None:
        yield _odd(*odd, app="")
    for plugin, owner, name in property_survey.names(config_root):
        if owner != policy.GLOBAL and owner not in apps:
            continue
        text = property_names.complaint(plugin, owner, name)
        if text:
            app = "" if owner == policy.GLOBAL else owner
            path = config_root / plugin / owner
            yield findings.warn(_CHECK, f"{text}. Its file is in {path}", app=app)


def _odd(owner: str, text: str, *, app: str) -> Finding:
    whose = (
        "apps without a value of their own are" if owner == policy.GLOBAL else "it is"
    )
    return findings.warn(
        "push",
        f"push-on-release is {text[:_SHOWN]!r}, and only 'true' means on: {whose} never"
        f" pushed. Set it with: dokku registry:set {owner} push-on-release true",
        app=app,
    )


def _cure(
    context: ports.Context, state: wanted.AppState, text: str, config_root: Path
) -> str:
    """Return the command that corrects the property a text begins with."""
    app, name = state.policy.app, text.partition(":")[0]
    if name == "tag-version":
        number = _last_pushed(state)
        path = config_root / policy.CORE / app / name
        last = (
            f"the last pushed number, {number}" if number else "the last pushed number"
        )
        value = str(number or "NUMBER")
        return f". Write {last}: echo {value} | sudo -u dokku tee {path}"
    for plugin, checks in (
        (policy.CORE, validation.REGISTRY),
        (policy.OURS, validation.REGISTRYD),
    ):
        if name in checks and "dokku registry" not in text:
            own = context.properties.get(plugin, app, name).strip()
            owner = app if own else policy.GLOBAL
            return (
                f". Correct it with: dokku {plugin}:set {owner} {name}"
                f" {_EXAMPLES.get(name, 'VALUE')}"
            )
    return ""


def _last_pushed(state: wanted.AppState) -> int:
    """Return the highest number that an app has pushed, as far as we know; or 0."""
    known = [row.number for row in state.releases if row.pushed_at]
    known += [state.deployed.number] if state.deployed else []
    return max((one for one in known if one < numbering.HIGHEST), default=0)
