"""Faults in properties: what a release refuses, and what it never reads."""

from collections.abc import Iterator
from typing import Final

from planted.planting import fault, value
from support.dokku_host import GLOBAL
from support.site import Site

_TEMPLATE: Final = "image-repo-template '"


@fault(8, "fail", "properties", "is not a valid repository", "dokku registry:set web")
def _server_with_scheme(site: Site) -> Iterator[None]:
    with value(site, "server", f"https://{site.server}"):
        yield


@fault(12, "fail", "properties", "Org/Web is not a valid", "dokku registry:set web")
def _capitals(site: Site) -> Iterator[None]:
    with value(site, "image-repo", "Org/Web"):
        yield


@fault(13, "fail", "properties", "Appname", f"dokku registry:set web {_TEMPLATE}")
def _template_of_an_app(site: Site) -> Iterator[None]:
    with value(site, "image-repo-template", "org/{{ .Appname }}"):
        yield


@fault(13, "fail", "properties", "unclosed", f"dokku registry:set --global {_TEMPLATE}")
def _template_of_all_apps(site: Site) -> Iterator[None]:
    with value(site, "image-repo-template", "org/{{ .AppName", app=GLOBAL):
        yield


@fault(
    14,
    "warn",
    "push",
    "push-on-release is 'True', and only 'true' means on: it is never pushed",
    "dokku registry:set web push-on-release true",
)
def _switch_with_capital(site: Site) -> Iterator[None]:
    with value(site, "push-on-release", "True"):
        yield


@fault(
    15,
    "fail",
    "properties",
    "push-extra-tags: 'v1.0!' is not a valid tag",
    "dokku registry:set web push-extra-tags latest,stable",
)
def _invalid_tags(site: Site) -> Iterator[None]:
    with value(site, "push-extra-tags", "latest, v1.0!"):
        yield


@fault(
    16,
    "fail",
    "properties",
    "push-policy: 'backgroud' is neither wait nor background",
    "dokku registryd:set web push-policy wait",
)
def _misspelled_policy(site: Site) -> Iterator[None]:
    with value(site, "push-policy", "backgroud", plugin="registryd"):
        yield


@fault(
    17,
    "warn",
    "properties",
    "keep-release is not a property of registryd",
    "dokku registryd:set web keep-releases VALUE",
)
def _misspelled_property(site: Site) -> Iterator[None]:
    with value(site, "keep-release", "5", plugin="registryd"):
        yield


@fault(
    18,
    "warn",
    "repository",
    "dokku/web is also the repository of api",
    "dokku registry:set web image-repo ORG/NAME",
)
def _shared_repository(site: Site) -> Iterator[None]:
    site.make_app("api", image_repo="dokku/web")
    yield
    site.host.destroy_app("api")


@fault(
    20,
    "fail",
    "properties",
    "Unable to convert existing tag version (4x)",
    "the last pushed number, 1: echo 1 | sudo -u dokku tee",
)
def _number_with_letter(site: Site) -> Iterator[None]:
    with value(site, "tag-version", "4x"):
        yield


@fault(
    56,
    "warn",
    "properties",
    "keep-releases has no effect among the properties of registry",
    "dokku registryd:set web keep-releases VALUE",
)
def _property_of_the_other_plugin(site: Site) -> Iterator[None]:
    with value(site, "keep-releases", "5"):
        yield


@fault(
    57,
    "warn",
    "push",
    r"push-on-release is 'true\n', and only 'true' means on: apps without",
    "dokku registry:set --global push-on-release true",
)
def _global_switch_with_line_break(site: Site) -> Iterator[None]:
    with value(site, "push-on-release", "true\n", app=GLOBAL):
        yield


@fault(
    58,
    "fail",
    "properties",
    "push-extra-tags: 'no tag' is not a valid tag",
    "dokku registry:set --global push-extra-tags latest,stable",
)
def _invalid_tags_for_all(site: Site) -> Iterator[None]:
    with value(site, "push-extra-tags", "no tag", app=GLOBAL):
        yield


@fault(
    59,
    "fail",
    "properties",
    "value out of range",
    "the last pushed number, 1: echo 1 | sudo -u dokku tee",
)
def _number_out_of_range(site: Site) -> Iterator[None]:
    with value(site, "tag-version", "9" * 30):
        yield
