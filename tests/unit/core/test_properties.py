"""Dokku's properties and what they come to, odd rules included."""

from collections.abc import Callable

import pytest

from dokku_registryd import errors
from dokku_registryd.core.dokku import keeping
from dokku_registryd.core.dokku import policy as dokku_policy

DEFAULTS = dokku_policy.Defaults()


def reader(**values: str) -> Callable[[str, str, str], str]:
    """Build property files: `web_server` for the app, `all_server` for the host."""

    def read(_plugin: str, app: str, name: str) -> str:
        owner = "all" if app == "--global" else app
        return values.get(f"{owner}_{name.replace('-', '_')}", "")

    return read


def policy(**values: str) -> dokku_policy.AppPolicy:
    """Resolve the app web."""
    return dokku_policy.resolve("web", reader(**values), DEFAULTS)


def test_an_app_without_properties() -> None:
    """Nothing is pushed, and the repository is Dokku's own."""
    assert policy() == dokku_policy.AppPolicy(
        app="web",
        push_on_release=False,
        server="",
        image_repo="dokku/web",
        extra_tags=(),
        tag_version="",
        push_in_background=False,
        push_deadline_seconds=900,
        heal=True,
        keep_releases=0,
        scheduler="docker-local",
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"web_push_on_release": "true"}, True),
        ({"web_push_on_release": " true\n"}, True),
        ({"all_push_on_release": "true"}, True),
        ({"all_push_on_release": "true\n"}, False),
        ({"web_push_on_release": "True"}, False),
        ({"web_push_on_release": "false", "all_push_on_release": "true"}, False),
    ],
)
def test_push_on_release(values: dict[str, str], expected: bool) -> None:
    """Push is on for exactly `true`; the app's value is trimmed, the host's is not."""
    assert policy(**values).push_on_release is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"all_server": "ghcr.io"}, "ghcr.io/"),
        ({"all_server": "ghcr.io/"}, "ghcr.io/"),
        ({"all_server": "ghcr.io//"}, "ghcr.io//"),
        ({"all_server": " ghcr.io \n"}, "ghcr.io/"),
        ({"all_server": "docker.io"}, ""),
        ({"all_server": "hub.docker.com/"}, ""),
        ({"web_server": "quay.io", "all_server": "ghcr.io"}, "quay.io/"),
        ({"web_server": "docker.io", "all_server": "ghcr.io"}, ""),
        ({"web_server": "  ", "all_server": "ghcr.io"}, ""),
    ],
)
def test_server(values: dict[str, str], expected: str) -> None:
    """The server gets one slash; Docker Hub is empty; blanks of the app win."""
    assert policy(**values).server == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"web_image_repo": " org/foo "}, "org/foo"),
        ({"web_image_repo_template": "p/{{ .AppName }}"}, "p/web"),
        ({"all_image_repo_template": "g/{{ .AppName }}"}, "g/web"),
        (
            {"web_image_repo": "x/y", "web_image_repo_template": "p/{{ .AppName }}"},
            "x/y",
        ),
        ({"web_image_repo_template": "{{ `` }}"}, "dokku/web"),
    ],
)
def test_image_repo(values: dict[str, str], expected: str) -> None:
    """The app's repository, its template, the host's template, Dokku's default."""
    assert policy(**values).image_repo == expected


def test_a_wrong_template_is_a_mistake() -> None:
    """A template that Go refuses is named with Go's words."""
    resolved = policy(web_image_repo_template="dokku/{{ APP }}")

    assert resolved.image_repo == "dokku/web"
    assert resolved.mistakes == (
        'image-repo-template: template: template:1: function "APP" not defined',
    )


@pytest.mark.parametrize(
    ("text", "tags", "mistakes"),
    [
        ("a,b", ("a", "b"), ()),
        (" a , b ,", ("a", "b"), ()),
        ("a,a", ("a",), ()),
        (",", (), ()),
        ("a b", ("a b",), ("push-extra-tags: 'a b' is not a valid tag",)),
        ("ok,.no", ("ok", ".no"), ("push-extra-tags: '.no' is not a valid tag",)),
        ("a, v{{ .Number }}", ("a", "v{{ .Number }}"), ()),
        (
            '{{ if eq .App "x,y" }}b{{ end }},c',
            ('{{ if eq .App "x,y" }}b{{ end }}', "c"),
            (),
        ),
    ],
)
def test_extra_tags(
    text: str, tags: tuple[str, ...], mistakes: tuple[str, ...]
) -> None:
    """Tags are trimmed and unique; what cannot be a tag is named."""
    resolved = policy(web_push_extra_tags=text)

    assert (resolved.extra_tags, resolved.mistakes) == (tags, mistakes)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        (" 7\n", 7),
        ("", 0),
        ("x", 0),
        ("-1", 0),
        ("²", 0),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, 0),
        ("9" * 5000, 0),
    ],
)
def test_the_last_number(text: str, number: int) -> None:
    """A counter that is missing or unreadable counts as zero."""
    assert policy(web_tag_version=text).last_number == number


def test_a_counter_that_cannot_be_counted_with() -> None:
    """A number too long for the ledger is a mistake, named in Dokku's words."""
    (mistake,) = policy(web_tag_version="1" * 30).mistakes

    assert mistake == (
        f"tag-version: Unable to convert existing tag version ({'1' * 30}) to integer:"
        f' strconv.Atoi: parsing "{"1" * 30}": value out of range'
    )


def test_our_own_properties() -> None:
    """The app's value wins over the host's, the host's over the settings."""
    resolved = policy(
        all_push_policy="background",
        web_push_deadline="2h",
        all_heal="off",
        web_heal="on",
        all_keep_releases="3",
    )

    assert resolved.push_in_background is True
    assert resolved.push_deadline_seconds == 7200
    assert resolved.heal is True
    assert (resolved.keep_releases, resolved.keep_seconds) == (3, 0)


@pytest.mark.parametrize(
    ("text", "count", "seconds", "shown"),
    [
        ("0", 0, 0, "0"),
        ("20000", 20000, 0, "20000"),
        ("30d", 0, 30 * 86400, "30d"),
        ("24h", 0, 86400, "1d"),
        ("10,90m", 10, 5400, "10,90m"),
        ("0,30d", 0, 30 * 86400, "30d"),
    ],
)
def test_how_many_releases_keep_their_names(
    text: str, count: int, seconds: float, shown: str
) -> None:
    """A number counts releases, as ever; with a unit it is an age."""
    read = reader(web_keep_releases=text)

    resolved = dokku_policy.resolve("web", read, DEFAULTS)

    assert (resolved.keep_releases, resolved.keep_seconds) == (count, seconds)
    assert dokku_policy.own_values("web", read, DEFAULTS)["keep-releases"] == shown


@pytest.mark.parametrize(
    ("values", "kept", "shown"),
    [
        ({}, None, "all"),
        ({"all_keep_remote": "10"}, keeping.Keep(10), "10"),
        ({"all_keep_remote": "10", "web_keep_remote": "all"}, None, "all"),
        ({"web_keep_remote": "5,30d"}, keeping.Keep(5, 30 * 86400), "5,30d"),
        ({"all_keep_remote": "0", "web_keep_remote": "ten"}, None, "all"),
    ],
)
def test_what_a_registry_keeps(
    values: dict[str, str], kept: keeping.Keep | None, shown: str
) -> None:
    """All stays unless a valid value says less, and a mistake blocks no deploy."""
    read = reader(**values)

    resolved = dokku_policy.resolve("web", read, DEFAULTS)

    assert (resolved.keep_remote, resolved.mistakes) == (kept, ())
    assert dokku_policy.own_values("web", read, DEFAULTS)["keep-remote"] == shown
    is_wrong = values.get("web_keep_remote") == "ten"
    assert [text.partition(":")[0] for text in resolved.left_out] == (
        ["keep-remote"] if is_wrong else []
    )


def test_wrong_values_of_ours_are_named() -> None:
    """A value that cannot be right falls back, and is named with the way out."""
    resolved = policy(
        web_push_policy="maybe",
        web_push_deadline="soon",
        web_heal="yes",
        web_keep_releases="-1",
    )

    assert resolved.mistakes == (
        "push-policy: 'maybe' is neither wait nor background",
        "push-deadline: 'soon' is not a duration such as 15m",
        "heal: 'yes' is neither on nor off",
        "keep-releases: '-1' is neither a number nor an age such as 30d",
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400)],
)
def test_time_spans(text: str, seconds: float) -> None:
    """A time span is a whole number with a unit, seconds by default."""
    assert dokku_policy.parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "1w", "-1", "1.5h", "²m", "m15", "9" * 400, f"{'9' * 5000}d"],
    ids=lambda text: text[:8],
)
def test_no_time_spans(text: str) -> None:
    """Other texts are not a duration."""
    assert dokku_policy.parse_seconds(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "0.5s"),
        (90, "90s"),
        (900, "15m"),
        (5400, "90m"),
        (7200, "2h"),
        (86400, "1d"),
        (0, "0s"),
    ],
)
def test_time_spans_for_people(seconds: float, text: str) -> None:
    """A time span is shown in the largest unit that fits."""
    assert dokku_policy.span(seconds) == text


APP, HOST = "builder property skip-cleanup of web", "global builder property"


@pytest.mark.parametrize(
    ("values", "by_variable", "kept_by"),
    [
        ({}, False, ""),
        ({"web_skip_cleanup": "true"}, False, APP),
        ({"all_skip_cleanup": "true"}, False, f"{HOST} skip-cleanup"),
        ({}, True, "variable DOKKU_SKIP_CLEANUP"),
        # Dokku's cleanup compares exactly, and any of the three is enough for it.
        ({"web_skip_cleanup": "true\n", "all_skip_cleanup": "True"}, False, ""),
        (
            {"web_skip_cleanup": "false", "all_skip_cleanup": "true"},
            False,
            f"{HOST} skip-cleanup",
        ),
        ({"web_skip_cleanup": "true", "web_keep_releases": "0"}, True, ""),
        ({"web_skip_cleanup": "true", "all_keep_releases": "2"}, True, ""),
        ({"web_skip_cleanup": "true", "web_keep_releases": "no"}, False, APP),
    ],
)
def test_names_that_are_kept(
    values: dict[str, str], by_variable: bool, kept_by: str
) -> None:
    """Names stay where Dokku is told to keep images, unless a number is set."""
    defaults = dokku_policy.Defaults(keep_releases=1, skip_cleanup=by_variable)
    read = reader(**values)

    resolved = dokku_policy.resolve("web", read, defaults)

    assert resolved.names_kept_by == kept_by
    shown = dokku_policy.own_values("web", read, defaults)["keep-releases"]
    assert shown == ("all" if kept_by else str(resolved.keep_releases))


def test_names_that_may_be_kept() -> None:
    """A property that cannot be read is neither set nor unset."""

    def read(plugin: str, _app: str, name: str) -> str:
        if plugin in {"builder", "scheduler"}:
            raise errors.UnreadableError(f"cannot read {name}")
        return ""

    resolved = dokku_policy.resolve("web", read, DEFAULTS)

    assert resolved.names_kept_by == "cannot read skip-cleanup"
    assert resolved.scheduler == ""


@pytest.mark.parametrize(
    ("values", "scheduler"),
    [
        ({"web_selected": "k3s"}, "k3s"),
        ({"all_selected": "k3s"}, "k3s"),
        ({"web_selected": "docker-local", "all_selected": "k3s"}, "docker-local"),
    ],
)
def test_the_selected_scheduler(values: dict[str, str], scheduler: str) -> None:
    """The app's scheduler counts, then the global one, then Dokku's default."""
    assert policy(**values).scheduler == scheduler


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ""),
        ({"web_mirror": "backup.example"}, "backup.example/org/web"),
        ({"web_mirror": "backup.example/copies/web"}, "backup.example/copies/web"),
        ({"all_mirror": "backup.example:5000"}, "backup.example:5000/org/web"),
        ({"all_mirror": "backup.example/dokku"}, "backup.example/dokku/org/web"),
        ({"web_mirror": "off", "all_mirror": "backup.example"}, ""),
        ({"web_mirror": "b.example/x", "all_mirror": "a.example"}, "b.example/x"),
    ],
)
def test_the_mirror(values: dict[str, str], expected: str) -> None:
    """The app's value is a repository, the global one a prefix for the app's own."""
    read = reader(web_server="r.example", web_image_repo="org/web", **values)

    resolved = dokku_policy.resolve("web", read, DEFAULTS)

    assert resolved.mirror == expected
    assert resolved.left_out == ()
    shown = dokku_policy.own_values("web", read, DEFAULTS)["mirror"]
    assert shown in {expected or "off", values.get("web_mirror")}


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("r.example/org/web", "the repository of the app itself"),
        ("Backup.example//x", "is not SERVER/REPOSITORY"),
        ("org/web", "is not SERVER/REPOSITORY"),
    ],
)
def test_a_mirror_that_is_left_out(value: str, hint: str) -> None:
    """An unusable mirror is told, and fails no release."""
    resolved = policy(
        web_server="r.example", web_image_repo="org/web", web_mirror=value
    )

    assert resolved.mirror == ""
    assert resolved.mistakes == ()
    (text,) = resolved.left_out
    assert hint in text


@pytest.mark.parametrize(
    ("server", "value"),
    [
        ("", "docker.io/org/web"),
        ("docker.io", "docker.io"),
        ("R.Example", "r.example"),
    ],
)
def test_a_mirror_that_is_spelled_otherwise(server: str, value: str) -> None:
    """An app has no second place in its own repository, in any spelling of it."""
    resolved = policy(web_server=server, web_image_repo="org/web", web_mirror=value)

    assert resolved.mirror == ""
    (text,) = resolved.left_out
    assert "is the repository of the app itself" in text


def test_a_mirror_that_cannot_be_read() -> None:
    """It counts as unset, and no release waits for it."""

    def read(plugin: str, _app: str, name: str) -> str:
        if name == "mirror":
            raise errors.UnreadableError(f"cannot read {plugin}/{name}")
        return ""

    resolved = dokku_policy.resolve("web", read, DEFAULTS)

    assert resolved.mirror == ""
    assert dict(resolved.unread) == {"mirror": "cannot read registryd/mirror"}


def test_values_of_ours_as_text() -> None:
    """What our properties come to is shown as one would type it."""
    read = reader(web_push_deadline="7200", all_heal="off", all_keep_releases="no")

    assert dokku_policy.own_values("web", read, DEFAULTS) == {
        "follow": "off",
        "heal": "off",
        "hold": "",
        "keep-releases": "0",
        "keep-remote": "all",
        "mirror": "off",
        "push-deadline": "2h",
        "push-policy": "wait",
        "release-records": "off",
    }


LOGINS = [
    "ci:CANARY@r.example:5000",
    "https://ci:CANARY@r.example:5000",
    "https://ci:CAN/ARY@r.example:5000/",
    "ci:CAN#ARY@x@r.example:5000",
]


@pytest.mark.parametrize("text", LOGINS)
def test_a_login_in_a_server_is_a_mistake_and_is_not_shown(text: str) -> None:
    """The policy of an app does not contain a password of any form."""
    found = policy(web_server=text, web_push_on_release="true")

    assert found.server == "***@r.example:5000/"
    (mistake,) = found.mistakes
    assert mistake.startswith("server: ***@r.example:5000/ contains a login")
    assert "CAN" not in repr(found)


def test_a_login_in_a_repository_is_a_mistake_too() -> None:
    """A digest is none, though it has the same mark before it."""
    found = policy(web_image_repo="ci:CANARY@r.example/org/web")
    digest = f"org/web@sha256:{'0' * 64}"

    assert found.image_repo == "***@r.example/org/web"
    assert "CANARY" not in repr(found)
    assert policy(web_image_repo=digest).image_repo == digest


@pytest.mark.parametrize(
    "template", ["{{ .Date }}", "{{ .App", "{{ .X }}", "{{.App}}:"]
)
def test_a_template_that_gives_no_tag(template: str) -> None:
    """It is left out, and named with its property, so no release fails by it."""
    resolved = policy(web_push_extra_tags=f"latest,{template}")

    assert (resolved.extra_tags, resolved.mistakes) == (("latest",), ())
    (text,) = resolved.left_out
    assert text.startswith(f"push-extra-tags: {template} ")
