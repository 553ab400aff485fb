"""Values of `registry:set`, which Dokku would store without a look."""

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("push-on-release", "true", "true"),
        ("push-on-release", " false\n", "false"),
        ("push-extra-tags", "latest,stable", "latest,stable"),
        ("push-extra-tags", " a, b ,,a,", "a,b"),
        ("push-extra-tags", "a, v{{ .Number }}", "a,v{{ .Number }}"),
        ("image-repo", " my/foo ", "my/foo"),
        ("image-repo", "registry.example.com:5000/my/foo", None),
        ("image-repo-template", "app-prefix/{{ .AppName }}-prod", None),
        ("image-repo-template", "{{- .AppName -}} ", None),
        ("server", "docker.io", None),
        ("server", "hub.docker.com/", None),
        ("server", "ghcr.io/", None),
        ("server", " localhost ", "localhost"),
        ("server", "registry.example.com:5000/team", None),
        ("server", "[::1]:5000", None),
    ],
)
def test_values(host: DokkuHost, name: str, value: str, stored: str | None) -> None:
    """A value is stored in the form in which Dokku reads what was meant."""
    result = host.command("registry:set", "foo", name, value)

    expected = value if stored is None else stored
    assert result == Result(f"=====> Setting {name} to {expected}\n", "", 0)
    assert host.read_property("foo", name) == expected


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "push-on-release",
            "True",
            "push-on-release must be true or false, not 'True'. Did you mean true?",
        ),
        (
            "push-on-release",
            "off",
            "push-on-release must be true or false, not 'off'. Did you mean false?",
        ),
        (
            "push-on-release",
            "maybe",
            "push-on-release must be true or false, not 'maybe'",
        ),
        (
            "push-on-release",
            " ",
            "push-on-release must not be blank; to unset it, omit the value",
        ),
        (
            "push-extra-tags",
            "stable,a b",
            (
                "push-extra-tags must be tags separated by commas, such as"
                " stable,latest; 'a b' is not a valid tag"
            ),
        ),
        ("push-extra-tags", " , ", "push-extra-tags contains no tag: ' , '"),
        (
            "push-extra-tags",
            "{{ .Date }}",
            (
                "push-extra-tags: {{ .Date }} gives a number, and numbers are the tags"
                " of releases; use v{{ .Date }} instead"
            ),
        ),
        (
            "push-extra-tags",
            "stable,7",
            (
                "push-extra-tags must not be numbers, as numbers are the tags of"
                " releases; use v7 instead of 7"
            ),
        ),
        (
            "image-repo",
            "My/Foo",
            (
                "image-repo must be a repository such as org/web, not 'My/Foo':"
                " invalid reference format: repository name (My/Foo) must be lowercase"
            ),
        ),
        (
            "image-repo",
            "my/foo:1",
            (
                "image-repo must be a repository without a tag, such as org/web, not"
                " 'my/foo:1': the tag is the number of the release"
            ),
        ),
        (
            "image-repo",
            "https://ghcr.io/my/foo",
            (
                "image-repo must be a repository such as org/web, not"
                " 'https://ghcr.io/my/foo': invalid reference format"
            ),
        ),
        (
            "image-repo-template",
            "{{ .AppName }}:v1",
            (
                "image-repo-template, for foo, must be a repository without a tag,"
                " such as org/web, not 'foo:v1': the tag is the number of the release"
            ),
        ),
        (
            "image-repo-template",
            "{{ if false }}x{{ end }}",
            (
                "image-repo-template, for foo, must be a repository such as org/web,"
                " not '': invalid reference format"
            ),
        ),
    ],
)
def test_values_that_cannot_work(
    host: DokkuHost, name: str, value: str, message: str
) -> None:
    """A value that would fail the next release is refused; the old one stays."""
    host.set_property("foo", name, "old")

    result = host.command("registry:set", "foo", name, value)

    assert result == Result("", f" !     {message}\n", 1)
    assert host.read_property("foo", name) == "old"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("https://ghcr.io", "Remove https://"),
        ("ghcr.io//org", "Use a single slash"),
        ("ghcr.io//", "Use a single slash"),
        ("index.docker.io", "Docker Hub is docker.io"),
        ("registry-1.docker.io/org", "Docker Hub is docker.io"),
        ("docker.com", "Docker Hub is docker.io"),
        (
            "ghcr.io/Org",
            (
                "Docker refuses ghcr.io/Org/image: invalid reference format: repository"
                " name (Org/image) must be lowercase"
            ),
        ),
        ("ghcr.io:", "Docker refuses ghcr.io:/image: invalid reference format"),
        (
            "my-user",
            (
                "A host has a dot or a port: for a user or an organisation on Docker"
                " Hub set image-repo"
            ),
        ),
    ],
)
def test_servers_that_cannot_work(host: DokkuHost, value: str, hint: str) -> None:
    """A server is the host of a registry, spelled as Dokku understands it."""
    result = host.command("registry:set", "--global", "server", value)

    assert result == Result(
        "",
        " !     server must be a registry's host, such as ghcr.io or"
        f" registry.example.com:5000, not {value!r}. {hint}\n",
        1,
    )
    assert host.read_property(GLOBAL, "server") is None


def test_a_template_with_a_mistake(host: DokkuHost) -> None:
    """It is stored all the same, as Dokku's own tests want it, and said to be wrong."""
    result = host.command(
        "registry:set", "--global", "image-repo-template", "dokku/{{ APP }}"
    )

    assert result == Result(
        "=====> Setting image-repo-template to dokku/{{ APP }}\n",
        " !     image-repo-template is invalid, so dokku/APP is used: template:"
        ' template:1: function "APP" not defined. The name of the app is {{ .AppName'
        " }}\n",
        0,
    )
    assert host.read_property(GLOBAL, "image-repo-template") == "dokku/{{ APP }}"


def test_bytes_that_are_no_text(host: DokkuHost) -> None:
    """A value that is not valid text is refused for any property."""
    result = host.command("registry:set", "foo", "image-repo-template", "\udcff{{ x")

    assert result == Result(
        "", " !     image-repo-template must be UTF-8, not '\\udcff{{ x'\n", 1
    )
    assert host.read_property("foo", "image-repo-template") is None
