"""What reads foreign bytes, each as a function that must not be surprised by any.

A target ends without an exception, or the program has a defect. Hypothesis feeds them
in `tests/unit/test_fuzz.py`, atheris for as long as one likes in `fuzz/__main__.py`.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from dokku_registryd import errors
from dokku_registryd.core import gotemplate
from dokku_registryd.core.auth import config_edits, config_file
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.dokku import app_names, pflag, tag_lists, validation
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.engine import events, messages, stream
from dokku_registryd.core.hook import replies, triggers
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.registry import (
    addresses,
    allowances,
    challenges,
    grants,
    hosts,
    protocol,
    refusal_errors,
)
from dokku_registryd.core.release import origins, releases, tag_templates
from dokku_registryd.core.text import foreign_text, terminal_text

Target = Callable[[bytes], None]
_RELEASE: Final = releases.Release(
    job_id="1.1.1",
    app="web",
    number=41,
    image_id="",
    server="",
    image_repo="org/web",
    scheduler="docker-local",
)
SEEDS: Final = (
    b"dokku-registryd/1\ntrigger=",
    b"release\napp=web\nimage=dokku/web:latest\nscheduler=docker-local\nend\n",
    b"deployed\napp=web\ntag=\nend\n",
    b'{"auths": {"r.example": {"auth": "Y2k6cGFzcw=="}}}',
    b'{"credHelpers": {"r.example": "ecr-login"}, "credsStore": "pass"}',
    b'{"Type": "image", "Action": "untag", "Actor": {"ID": "sha256:00"}}',
    b'{"errorDetail": {"message": "denied"}, "error": "denied"}',
    b'{"status": "1: digest: sha256:' + b"0" * 64 + b' size: 1"}',
    b'{"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}',
    b'{"token": "abc", "expires_in": 300}',
    b'{"manifests": [{"mediaType": ["a"], "digest": "sha256:00"}]}',
    b'{"config": {"digest": "sha256:%s"}, "layers": [{"mediaType": {}}]}' % (b"0" * 64),
    b'{"auths": {"r.example": {"username": "\\ud800", "password": "\\udc00"}}}',
    b'{"token": "abc", "expires_in": ' + b"9" * 401 + b"}",
    b"[" * 5000,
    b'Bearer realm="https://a.example/token",service="s",scope="repository:a:pull"',
    b'<https://r.example/v2/a/tags/list?last=b&n=1>; rel="next"',
    b"{{ .AppName }}",
    b'{{ printf "%q" .AppName | len }}',
    b"{{ if eq .AppName `web` }}a{{ else }}b{{ end }}",
    b"latest,{{ .GitShortRev }},{{ .Branch }}-v{{ .Number }}",
    b"r.example:5000/org/web:1@sha256:" + b"0" * 64,
    b"sha256:" + b"0" * 64,
    b"Wed, 21 Oct 2037 07:28:00 GMT",
    b"../",
    b"\n",
    b"\0",
    b"\xff",
    "\u2028".encode(),
)


def read_trigger(raw: bytes) -> None:
    """A trigger file is refused, or comes back as it was written."""
    with suppress(errors.InvalidTriggerError):
        trigger = triggers.parse(raw)
        assert triggers.parse(triggers.render(trigger)) == trigger
        assert all(map(app_names.is_app_name, trigger.apps))


def make_path(raw: bytes) -> None:
    """No app and no trigger is called like a way out of a folder."""
    text = _text(raw)
    for is_name in (app_names.is_app_name, triggers.is_trigger_id):
        if is_name(text):
            assert text.isascii()
            assert text.isprintable()
            assert "/" not in text
            assert not text.startswith(".")
            assert len(text) <= app_names.MAX_APP_NAME_LENGTH


def write_reply(raw: bytes) -> None:
    """Any output of the Engine is one line of a reply, and does not end it."""
    line = replies.render(replies.Line.OUTPUT, _text(raw))
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    parsed = replies.parse(line)
    assert parsed is not None
    assert parsed[0] is replies.Line.OUTPUT
    replies.parse(_text(raw))


def read_properties(raw: bytes) -> None:
    """With any content of property files, an app has a policy."""
    text = _text(raw)
    policy = dokku_policy.resolve(
        "web", lambda _plugin, _app, _name: text, dokku_policy.Defaults()
    )
    assert policy.last_number >= 0
    dokku_policy.own_values("web", lambda *_place: text, dokku_policy.Defaults())
    for check in (*validation.REGISTRY.values(), *validation.REGISTRYD.values()):
        with suppress(validation.ValueRefusedError):
            check("web", text)


def read_template(raw: bytes) -> None:
    """A template is rendered or refused, and neither takes forever."""
    text = _text(raw)
    with suppress(gotemplate.TemplateError):
        gotemplate.render(text, "web")
    if tag_lists.is_template(text):
        origin = origins.Origin(branch=text, revision=text)
        found = tag_templates.resolve(tag_lists.split(text), _RELEASE, origin)
        assert all(
            reference.is_tag(tag) or not tag_lists.is_template(tag)
            for tag in found.tags
        )


def read_login(raw: bytes) -> None:
    """An auth config says who logs in, or that it cannot be used."""
    with suppress(config_file.MalformedAuthError):
        file = config_file.parse(raw)
        for domain in ("r.example", reference.DOCKER_HUB):
            with suppress(config_file.MalformedAuthError):
                found = file.login(domain)
                if found is not None:
                    challenges.basic(found)
            file.held_logins(domain)
            file.keeper(domain)
        file.all_held_logins()
    with suppress(config_file.MalformedAuthError):
        document = config_file.load(raw)
        config_edits.render(config_edits.without_login(document, "r.example"))
        config_edits.render(config_edits.without_secrets(document))


def read_reference(raw: bytes) -> None:
    """A reference is refused, or comes back as it was written."""
    with suppress(errors.InvalidReferenceError):
        image = reference.parse(_text(raw))
        assert reference.parse(image.canonical).repository == image.repository


def read_headers(raw: bytes) -> None:
    """Any header of a registry is parsed or ignored."""
    text = _text(raw)
    challenges.parse(text)
    challenge = challenges.choose(text)
    if challenge is not None:
        challenges.scope_for(challenge, "org/web", "repository:org/web:pull")
    seconds = protocol.parse_retry_after(text, 0.0)
    assert seconds is None or seconds >= 0
    protocol.next_page(text, "https://r.example/v2/a/tags/list")
    protocol.parse_digest(text)
    left = allowances.parse(dict.fromkeys(("ratelimit-remaining", "x"), text))
    assert left is None or left.left >= 0
    protocol.media_type(text, raw)
    with suppress(errors.RegistrydError):
        addresses.origin(addresses.resolve("https://r.example/v2/", text))


def read_hosts(raw: bytes) -> None:
    """With any settings of the Engine and any challenge, a host is judged."""
    text = _text(raw)
    hosts.judge("r.example:5000", [text], lambda _name: [text])
    hosts.choose_proxy("https://r.example/v2/", {"https": "p", "no": text})
    for is_insecure in (False, True):
        hosts.refuse_realm(
            text, "https://r.example/v2/", registry_is_insecure=is_insecure
        )
    with suppress(errors.RegistrydError):
        hosts.check_host(text)
    hosts.bare_host(text)


def read_body(raw: bytes) -> None:
    """Any body of a registry becomes a value or an error of ours."""
    secret = Secret("registry-test-password")
    challenges.parse_token(raw)
    protocol.parse_tags(raw)
    said = protocol.parse_error(raw, [secret])
    error = refusal_errors.build_error(
        refusal_errors.Refusal(
            purpose="push r.example/web:1",
            status=raw[0] + 300 if raw else 500,
            codes=said.codes,
            text=said.text,
            puts_tag=True,
        )
    )
    assert "registry-test-password" not in str(error)
    grants.parse_actions(Secret(f"Bearer {_text(raw)}"), "org/web")
    manifest = images.Manifest(media_type="application/json", body=raw)
    manifest.names_image("sha256:0")


def read_parts(raw: bytes) -> None:
    """Any manifest tells valid digests, or is refused."""
    for media_type in (*parts.INDEX_TYPES, *parts.IMAGE_TYPES, "x"):
        root = images.Manifest(media_type=media_type, body=raw)
        with suppress(parts.UnknownPartsError):
            tree = parts.walk(root, {})
            assert all(reference.is_digest(part.digest) for part in tree.parts)
            assert [parts.parse(str(part)) for part in tree.parts] == [*tree.parts]
            digests = {part.digest for part in tree.parts}
            assert parts.foreign_children(root, "linux/amd64") <= digests
    with suppress(parts.UnknownPartsError):
        parts.parse(_text(raw))


def read_text(raw: bytes) -> None:
    """The rest of any text is one visible line without secrets."""
    secret = Secret("registry-test-password")
    for last in (0, 100):
        read = foreign_text.read(_text(raw) * 3, [secret], last=last)
        assert read.isprintable()
        assert not foreign_text.holds(read, [secret])
    shown = terminal_text.printable(_text(raw))
    assert shown.replace("\n", "").isprintable()


def read_engine(raw: bytes) -> None:
    """Any output of an Engine is an event, a line, a value or nothing."""
    content = _object(raw)
    event = events.parse(content)
    assert event is None or isinstance(event.wakes_sweep, bool)
    stream.error_of(content)
    stream.digest_of(content)
    stream.text_of(content)
    progress = stream.Progress(started=0.0, stall_seconds=60.0, deadline_seconds=600.0)
    progress.note(content, 1.0)
    stream.refusal("push", "r.example/web:1", _text(raw))
    messages.parse_facts(content)
    assert messages.choose_api(_text(raw))
    with suppress(errors.InvalidReferenceError):
        messages.split_name(_text(raw))


def read_arguments(raw: bytes) -> None:
    """Any input of a user is understood or refused with a message."""
    flags = pflag.FlagSet("registry:set", (pflag.Flag(name="global", usage="text"),))
    with suppress(pflag.UsageError):
        flags.parse(_text(raw).split("\n"))


TARGETS: Final[Mapping[str, Target]] = {
    target.__name__: target
    for target in (
        make_path,
        read_arguments,
        read_body,
        read_engine,
        read_headers,
        read_hosts,
        read_login,
        read_parts,
        read_properties,
        read_reference,
        read_template,
        read_text,
        read_trigger,
        write_reply,
    )
}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="surrogateescape")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {"id": content}
