"""What a release refuses, names that are no properties, and shared repositories."""

from collections.abc import Callable

import pytest

from dokku_registryd.core.dokku import policy, property_names
from dokku_registryd.core.dokku.policy import GLOBAL
from dokku_registryd.core.release import preflight


def reader(**values: str) -> Callable[[str, str, str], str]:
    """Return a reader of `OWNER_NAME` values of Dokku's own folder."""

    def read(plugin: str, owner: str, name: str) -> str:
        whose = "all" if owner == GLOBAL else owner
        key = f"{whose}_{name.replace('-', '_')}"
        return values.get(key, "") if plugin == policy.CORE else ""

    return read


def resolve(app: str = "web", **values: str) -> policy.AppPolicy:
    """Return the policy of an app with these properties."""
    return policy.resolve(app, reader(**values), policy.Defaults())


def test_an_app_that_can_be_released() -> None:
    """A valid app has no objections, released or not."""
    assert preflight.objections(resolve()) == ()
    assert preflight.objections(resolve(web_tag_version=" 7\n")) == ()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"web_tag_version": "4x"},
            (
                "tag-version: Unable to convert existing tag version (4x) to integer:"
                ' strconv.Atoi: parsing "4x": invalid syntax'
            ),
        ),
        (
            {"web_tag_version": str(2**63 - 1)},
            (
                f"tag-version: there is no number after {2**63 - 1}. Set it to the last"
                " pushed number"
            ),
        ),
        (
            {"web_image_repo": "Org/Web", "web_server": "r.example"},
            "r.example/Org/Web is not a valid repository: ",
        ),
        (
            {"web_push_extra_tags": "a b"},
            "push-extra-tags: 'a b' is not a valid tag",
        ),
        (
            {"all_image_repo_template": "org/{{ .AppName"},
            "image-repo-template: ",
        ),
    ],
    ids=["number", "last number", "repository", "tags", "template"],
)
def test_an_objection(values: dict[str, str], text: str) -> None:
    """Each objection begins with the property that it is about."""
    (objection,) = preflight.objections(resolve(**values))

    assert objection.startswith(text)


@pytest.mark.parametrize(
    ("own", "everywhere", "found"),
    [
        ("", "", None),
        ("true", "", None),
        ("false", "True", None),
        (" true\n", "", None),
        ("True", "", ("web", "True")),
        ("yes", "true", ("web", "yes")),
        ("", "true\n", (GLOBAL, "true\n")),
        ("", "on", (GLOBAL, "on")),
        ("", "\n", None),
    ],
)
def test_a_switch_that_is_neither(
    own: str, everywhere: str, found: tuple[str, str] | None
) -> None:
    """Only `true` pushes; a global value counts as it is, line break included."""
    values = {"web_push_on_release": own, "all_push_on_release": everywhere}

    assert preflight.odd_switch("web", reader(**values)) == found
    is_on = resolve(**values).push_on_release
    assert not (found and is_on)


def test_apps_in_one_repository() -> None:
    """Apps that push to one repository know of each other; others do not."""
    together = {"web_push_on_release": "true", "api_push_on_release": "true"}
    apps = [
        resolve("web", **together),
        resolve("api", api_image_repo="dokku/web", **together),
        resolve("off", off_image_repo="dokku/web"),
        resolve("alone", alone_push_on_release="true"),
    ]

    shared = preflight.shared_repositories(apps)

    assert shared == {"web": ("api",), "api": ("web",)}
    assert preflight.sharing(apps[0], ("api",)) == (
        "dokku/web is also the repository of api: each app skips the numbers of the"
        " others, and extra tags move to the last release of any. Set another"
        " image-repo for one of them with: dokku registry:set web image-repo ORG/NAME"
    )


@pytest.mark.parametrize(
    ("plugin", "name", "text"),
    [
        ("registry", "server", ""),
        ("registry", "tag-version", ""),
        ("registry", "something-of-later", ""),
        ("registryd", "heal", ""),
        (
            "registryd",
            "keep-release",
            (
                "keep-release is not a property of registryd, so it has no effect. Set"
                " the right one with: dokku registryd:set web keep-releases VALUE"
            ),
        ),
        (
            "registry",
            "push-extra-tag",
            (
                "push-extra-tag is not a property of registry, so it has no effect. Set"
                " the right one with: dokku registry:set web push-extra-tags VALUE"
            ),
        ),
        (
            "registry",
            "heal",
            (
                "heal has no effect among the properties of registry. Set it with:"
                " dokku registryd:set web heal VALUE"
            ),
        ),
        (
            "registryd",
            "follow",
            (
                "follow has no effect for an app. Set it with: dokku registryd:set"
                " --global follow VALUE"
            ),
        ),
        (
            "registryd",
            "x" * 99,
            (
                f"{'x' * 40} is not a property of registryd, which has follow, heal,"
                " hold, keep-releases, keep-remote, mirror, push-deadline,"
                " push-policy, release-records"
            ),
        ),
    ],
)
def test_a_name_in_a_property_folder(plugin: str, name: str, text: str) -> None:
    """A name without effect is reported, with the one that was probably meant."""
    assert property_names.complaint(plugin, "web", name) == text
