"""What Dokku's properties come to, as `registry:report` shows it."""

import json
from collections.abc import Callable

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result

Dokku = Callable[[str], Result]


def put(host: DokkuHost, name: str, app: str | None, everywhere: str | None) -> None:
    """Write a property of foo, and the global one."""
    if app is not None:
        host.set_property("foo", name, app)
    if everywhere is not None:
        host.set_property(GLOBAL, name, everywhere)


@pytest.mark.parametrize(
    ("name", "values", "computed"),
    [
        # The server: trimmed, one slash off and on again, Docker Hub is empty.
        ("server", ("ghcr.io", None), ("ghcr.io/", "")),
        ("server", (None, "ghcr.io"), ("ghcr.io/", "ghcr.io/")),
        ("server", (" ghcr.io/\n", None), ("ghcr.io/", "")),
        ("server", ("r.io//", None), ("r.io//", "")),
        ("server", ("docker.io", "ghcr.io"), ("", "ghcr.io/")),
        ("server", (None, "hub.docker.com/"), ("", "")),
        ("server", ("ghcr.io", "docker.io"), ("ghcr.io/", "")),
        ("server", ("index.docker.io", None), ("index.docker.io/", "")),
        ("server", ("  ", "ghcr.io"), ("", "ghcr.io/")),
        ("server", ("", "ghcr.io"), ("ghcr.io/", "ghcr.io/")),
        # Push: the app's value is trimmed, the global one is not.
        ("push-on-release", ("true", None), ("true", "false")),
        ("push-on-release", (" true\n", None), ("true", "false")),
        ("push-on-release", (None, "true"), ("true", "true")),
        ("push-on-release", ("false", "true"), ("false", "true")),
        ("push-on-release", ("True", None), ("True", "false")),
        # Extra tags: trimmed as a whole.
        ("push-extra-tags", (None, "global-tag"), ("global-tag", "global-tag")),
        ("push-extra-tags", (" a, b ", "c"), ("a, b", "c")),
        # The template.
        (
            "image-repo-template",
            (None, "x/{{.AppName}}"),
            ("x/{{.AppName}}", "x/{{.AppName}}"),
        ),
        ("image-repo-template", ("y", "x/{{.AppName}}"), ("y", "x/{{.AppName}}")),
    ],
)
def test_computed_values(
    host: DokkuHost,
    dokku: Dokku,
    name: str,
    values: tuple[str | None, str | None],
    computed: tuple[str, str],
) -> None:
    """A computed value follows Dokku's rules; the raw ones are shown untouched."""
    put(host, name, *values)
    app, everywhere = values

    report = json.loads(dokku("registry:report foo --format json").stdout)
    overall = json.loads(dokku("registry:report --global --format json").stdout)

    assert report[name] == report[f"registry-{name}"] == (app or "")
    assert report[f"global-{name}"] == overall[f"global-{name}"] == (everywhere or "")
    assert (report[f"computed-{name}"], overall[f"computed-{name}"]) == computed


def test_a_global_value_with_a_line_break(host: DokkuHost, dokku: Dokku) -> None:
    """A global `true` with a line break behind it is shown as what it is."""
    put(host, "push-on-release", None, "true\n")

    result = dokku("registry:report foo --registry-computed-push-on-release")

    assert result == Result("true\n\n", "", 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((None, None, None), "dokku/foo"),
        ((" my/foo ", "a/{{.AppName}}", "b/{{.AppName}}"), "my/foo"),
        ((None, "a/{{ .AppName }}-prod", "b/{{.AppName}}"), "a/foo-prod"),
        ((" ", " ", "b/{{.AppName}}\n"), "b/foo"),
        ((None, '{{- .AppName | printf "%s-p" -}}', None), "foo-p"),
        ((None, None, "dokku/{{ APP }}"), "dokku/foo"),
        ((None, "{{ if }}", "b/{{.AppName}}"), "dokku/foo"),
        ((None, "  {{/* nothing */}}", None), "dokku/foo"),
    ],
)
def test_computed_image_repo(
    host: DokkuHost,
    dokku: Dokku,
    values: tuple[str | None, str | None, str | None],
    expected: str,
) -> None:
    """Repository, template, global template, then Dokku's name, also for a mistake."""
    repository, template, overall = values
    put(host, "image-repo", repository, None)
    put(host, "image-repo-template", template, overall)

    result = dokku("registry:report foo --registry-computed-image-repo")

    assert result == Result(f"{expected}\n", "", 0)


def test_tag_version(host: DokkuHost, dokku: Dokku) -> None:
    """The counter is shown trimmed."""
    put(host, "tag-version", " 12\n", None)

    assert dokku("registry:report foo --registry-tag-version").stdout == "12\n"
