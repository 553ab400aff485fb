"""Extra tags that are templates: what they give a release, and what is said if not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd.core.dokku import tag_lists
from dokku_registryd.core.image import reference
from dokku_registryd.core.release import tag_templates
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.releases import Release

COMMIT = "3f1c9a7be2" * 4
ORIGIN = Origin(revision=COMMIT, branch="feat/blue sky")
RELEASE = Release(
    job_id="1.1.1",
    app="web",
    number=41,
    image_id="sha256:1d",
    server="r.example/",
    image_repo="org/web",
    scheduler="docker-local",
    created_at=1_795_996_799.0,  # 2026-11-29 23:59:59 UTC
)


def resolve(*tags: str, origin: Origin = ORIGIN) -> tag_templates.Resolved:
    """Return the tags of the release."""
    return tag_templates.resolve(tags, RELEASE, origin)


@pytest.mark.parametrize(
    ("template", "tag"),
    [
        ("{{ .GitRev }}", COMMIT),
        ("{{.GitShortRev}}", "3f1c9a7"),
        ("v{{ .Number }}", "v41"),
        ('{{ printf "v%04d" .Number }}', "v0041"),
        ("v{{ .Date }}", "v20261129"),
        ("{{ .Branch }}", "feat-blue-sky"),
        ("{{ .App }}-{{ .AppName }}", "web-web"),
        ("{{ .Branch }}-{{ .Number }}", "feat-blue-sky-41"),
        ("{{ slice .GitRev 0 10 }}", "3f1c9a7be2"),
        ('{{ if eq .App "web" }}stable{{ end }}', "stable"),
        (" x{{ .Number }} ", "x41"),
    ],
)
def test_a_template(template: str, tag: str) -> None:
    """It has the values of the release, in the language of other templates."""
    assert resolve(template) == tag_templates.Resolved((tag,))
    assert tag_templates.objection(template, "web") == ""


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ .GitRev }}", "{{ .GitRev }} gives no tag, as .GitRev of"),
        ("git-{{ .GitShortRev }}", "git-{{ .GitShortRev }} gives no tag, as .GitShort"),
        (
            '{{ printf "%s-%s" .Branch .GitRev }}',
            "gives no tag, as .Branch and .GitRev of this release is unknown",
        ),
        ("{{ .Number }}", "{{ .Number }} gives a number, and numbers are the tags of"),
        ("{{ .Date }}", "releases; use v{{ .Date }} instead"),
        ("{{ .App }}/x", "{{ .App }}/x gives 'web/x', which is not a valid tag"),
        ("{{ .Gitrev }}", "is not a valid template: template: template:1:3: executing"),
        (
            "{{ .Gitrev }}",
            "It can have .App, .Branch, .Date, .GitRev, .GitShortRev and",
        ),
        ("{{ .App", "{{ .App is not a valid template: template: template:1: unclosed"),
        ("{{ range 99999999 }}{{ end }}", "which dokku-registryd does not allow"),
        ("{{ .App }}" + "x" * 200, f"{{{{ .App }}}}{'x' * 70}... gives 'web"),
    ],
)
def test_a_template_that_gives_no_tag(template: str, reason: str) -> None:
    """It is skipped with its reason, and the others count."""
    found = resolve("stable", template, "v{{ .Number }}", origin=Origin())

    assert found.tags == ("stable", "v41")
    (text,) = found.skipped
    assert reason in text
    assert len(text) < 500


@pytest.mark.parametrize(
    "template",
    [
        '{{ if eq .Branch "main" }}stable{{ end }}',
        "{{ if .GitRev }}{{ .GitRev }}{{ end }}",
        "{{ with .GitRev }}g{{ . }}{{ end }}",
        "{{/* nothing */}}",
    ],
)
def test_a_template_for_some_releases(template: str) -> None:
    """A condition may fail without a warning."""
    found = resolve(template, origin=Origin())

    assert found == tag_templates.Resolved(())
    assert tag_templates.objection(template, "web") == ""


def test_a_value_in_place_of_an_unknown_one() -> None:
    """A template may say what stands for it."""
    template = 'g{{ or .GitShortRev "none" }}'

    assert resolve(template, origin=Origin()).tags == ("gnone",)


def test_tags_without_templates_are_as_they_were() -> None:
    """They are passed on unread."""
    tags = ("latest", "a b", ".no", "7", "{ .App }")

    assert resolve(*tags) == tag_templates.Resolved(tags)


def test_two_templates_with_one_result() -> None:
    """A tag moves once."""
    assert resolve("{{ .App }}", "web", "{{ .AppName }}").tags == ("web",)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ .Date }}", "use v{{ .Date }} instead"),
        ("{{ .GitRev", "is not a valid template"),
        ("{{ .Branch }}:x", "gives 'main:x', which is not a valid tag"),
    ],
)
def test_an_objection(template: str, reason: str) -> None:
    """What gives no release a tag is known before the first one."""
    assert reason in tag_templates.objection(template, "web")
    assert reason in tag_templates.objection(template, "")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a,b", ["a", "b"]),
        ("", [""]),
        (",a,", ["", "a", ""]),
        ('{{ printf "%s,%s" .App .App }},b', ['{{ printf "%s,%s" .App .App }}', "b"]),
        ("v{{ .Number }}x,{{ .App }}", ["v{{ .Number }}x", "{{ .App }}"]),
        ("{{ .App,b", ["{{ .App", "b"]),
        ("a}},b", ["a}}", "b"]),
    ],
)
def test_split(text: str, items: list[str]) -> None:
    """A comma within a template belongs to it."""
    assert tag_lists.split(text) == items


@given(st.text(alphabet="ab,{} ."))
def test_split_loses_nothing(text: str) -> None:
    """What is put together again is what was split; without templates by each comma."""
    assert ",".join(tag_lists.split(text)) == text
    if "{{" not in text:
        assert tag_lists.split(text) == text.split(",")


@given(st.text(max_size=60), st.text(max_size=60), st.integers(1, 9_999_999))
def test_any_origin_gives_a_tag_or_a_reason(
    branch: str, revision: str, number: int
) -> None:
    """No recorded text gives an invalid tag."""
    found = tag_templates.resolve(
        ("{{ .Branch }}", "{{ .GitShortRev }}", "{{ .Branch }}-{{ .GitRev }}"),
        RELEASE,
        Origin(branch=branch, revision=revision),
    )

    assert all(map(reference.is_tag, found.tags))
    assert len(found.tags) + len(found.skipped) in {2, 3}
