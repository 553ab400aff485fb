"""Values of properties: what is stored, and what is refused with which words."""

import pytest

from dokku_registryd.core.dokku import validation

DEADLINE = (
    "push-deadline must be a duration of at most a day, such as 90s, 15m, 2h or 1d,"
)
KEEP = (
    "must be a number of releases from 0 to 10000, an age of at most 3650d, or both:"
    " 10, 30d or 10,30d,"
)


@pytest.mark.parametrize(
    ("name", "text", "stored"),
    [
        ("push-policy", "wait", "wait"),
        ("push-policy", " background\n", "background"),
        ("push-deadline", "90", "90"),
        ("push-deadline", " 90s ", "90s"),
        ("push-deadline", "15m", "15m"),
        ("push-deadline", "2h", "2h"),
        ("push-deadline", "1d", "1d"),
        ("push-deadline", "86400s", "86400s"),
        ("heal", "on", "on"),
        ("release-records", " on", "on"),
        ("heal", " off", "off"),
        ("keep-releases", "0", "0"),
        ("keep-releases", "10000", "10000"),
        ("keep-releases", " 30d", "30d"),
        ("keep-releases", "12h", "12h"),
        ("keep-releases", "10, 30d ", "10,30d"),
        ("keep-releases", "10000,3650d", "10000,3650d"),
        ("keep-remote", "10,30d", "10,30d"),
        ("keep-remote", " all ", "all"),
        ("follow", " off ", "off"),
        (
            "follow",
            "ghcr.io/org/web, r.example:5000/a/b,",
            "ghcr.io/org/web,r.example:5000/a/b",
        ),
        ("follow", "docker.io/org/web", "docker.io/org/web"),
        ("mirror", " off ", "off"),
        ("mirror", "backup.example", "backup.example"),
        ("mirror", "backup.example:5000/org/web/", "backup.example:5000/org/web"),
        ("mirror", "docker.io/org/web", "docker.io/org/web"),
    ],
)
def test_accepted(name: str, text: str, stored: str) -> None:
    """A value that can work is stored without blanks around it."""
    accepted = validation.REGISTRYD[name]("web", text)

    assert accepted == validation.Accepted(stored)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("https://backup.example", "Remove https://"),
        ("ci:CANARY@backup.example", "Remove the login"),
        ("org/web", "A host has a dot or a port"),
        ("backup.example//web", "Use a single slash"),
        ("backup.example/Web", "lowercase"),
        ("backup.example/web:1", "Docker refuses"),
        ("on", "A host has a dot or a port"),
        ("", "Docker refuses"),
    ],
)
@pytest.mark.parametrize("app", ["web", "--global"])
def test_a_mirror_that_is_none(app: str, text: str, hint: str) -> None:
    """What is not a host with or without a repository is refused, with the reason."""
    with pytest.raises(validation.ValueRefusedError) as caught:
        validation.mirror(app, text)

    assert str(caught.value).startswith("mirror must be off, or a registry's host")
    assert hint in str(caught.value)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("org/web", "not 'org/web'"),
        ("ghcr.io/org/web,on", "not 'on'"),
        ("ghcr.io", "not 'ghcr.io'"),
        ("ghcr.io/org/web:1", "not 'ghcr.io/org/web:1'"),
        (f"ghcr.io/org/web@sha256:{'a' * 64}", "not 'ghcr.io/org/web@"),
        ("https://ghcr.io/org/web", "not 'https://ghcr.io/org/web'"),
        ("ci:CANARY@ghcr.io/org/web", "must not contain a login"),
        (",", "not ','"),
        (",".join(f"r.example/{number}" for number in range(101)), "at most 100"),
    ],
)
def test_what_cannot_be_followed(text: str, hint: str) -> None:
    """What is not a repository with its registry is refused."""
    with pytest.raises(validation.ValueRefusedError) as caught:
        validation.follow("--global", text)

    assert hint in str(caught.value)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("push-policy", "Wait", "push-policy must be wait or background, not 'Wait'"),
        ("push-deadline", "0s", f"{DEADLINE} not '0s'"),
        ("push-deadline", "soon", f"{DEADLINE} not 'soon'"),
        ("push-deadline", "2d", f"{DEADLINE} not '2d'"),
        ("push-deadline", "86401", f"{DEADLINE} not '86401'"),
        ("push-deadline", "1.5h", f"{DEADLINE} not '1.5h'"),
        ("push-deadline", "\u0661s", f"{DEADLINE} not '\u0661s'"),
        ("push-deadline", "9" * 400, f"{DEADLINE} not '{'9' * 400}'"),
        ("heal", "yes", "heal must be on or off, not 'yes'. Did you mean on?"),
        ("heal", "FALSE", "heal must be on or off, not 'FALSE'. Did you mean off?"),
        ("heal", "maybe", "heal must be on or off, not 'maybe'"),
        (
            "keep-remote",
            "none",
            f"keep-remote {KEEP[:-1]}, or all, not 'none'",
        ),
        ("keep-releases", "-1", f"keep-releases {KEEP} not '-1'"),
        ("keep-releases", "10001", f"keep-releases {KEEP} not '10001'"),
        ("keep-releases", "3651d", f"keep-releases {KEEP} not '3651d'"),
        ("keep-releases", "10,20", f"keep-releases {KEEP} not '10,20'"),
        ("keep-releases", "30d,10", f"keep-releases {KEEP} not '30d,10'"),
        ("keep-releases", "10,30d,1h", f"keep-releases {KEEP} not '10,30d,1h'"),
        ("keep-releases", "9" * 400, f"keep-releases {KEEP} not '{'9' * 400}'"),
    ],
)
def test_refused(name: str, text: str, message: str) -> None:
    """A value that cannot work is refused with what can."""
    with pytest.raises(validation.ValueRefusedError) as caught:
        validation.REGISTRYD[name]("web", text)

    assert str(caught.value) == message


def test_a_template_is_tried_with_its_app() -> None:
    """What works for the app at hand is accepted, and a mistake is stored and said."""
    template = '{{ if eq .AppName "web" }}org/web{{ end }}'

    assert validation.image_repo_template("web", template).text == template
    with pytest.raises(validation.ValueRefusedError):
        validation.image_repo_template("--global", template)
    assert validation.image_repo_template("web", "{{ x }}").warning


@pytest.mark.parametrize("name", ["server", "image-repo", "image-repo-template"])
@pytest.mark.parametrize("login", ["ci:CANARY", "https://ci:CAN/ARY", "ci:CAN#A@RY"])
def test_a_login_is_refused_and_not_repeated(name: str, login: str) -> None:
    """What was typed before the @ of an address is not shown again."""
    with pytest.raises(validation.ValueRefusedError) as caught:
        validation.REGISTRY[name]("web", f"{login}@r.example/org")

    assert "CAN" not in str(caught.value)
    assert "'***@r.example/org'" in str(caught.value)
    assert "dokku registry:login" in str(caught.value)
