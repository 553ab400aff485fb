"""`heal`, as far as it goes without an Engine."""

import pytest

from dokku_registryd import config, errors
from dokku_registryd.core.image import wanted
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.releases import heal
from support.calling import Caller

ENTRY = wanted.Wanted(
    app="web", reference="org/web:1", source="r.example/org/web:1", digest="sha256:d"
)


@pytest.mark.parametrize("words", [[], ["--dry-run"], ["--format", "json"]])
def test_without_an_engine(caller: Caller, words: list[str]) -> None:
    """Missing images are unknown while the Engine does not answer."""
    with pytest.raises(errors.EngineUnavailableError):
        caller.call("heal", *words)

    assert caller.spool.pending() == 0


def test_an_app_that_does_not_exist(caller: Caller) -> None:
    """An unknown app is refused before any program is asked."""
    with pytest.raises(errors.RegistrydError, match="App shop does not exist"):
        caller.call("heal", "shop")


@pytest.mark.parametrize(
    ("app", "said"),
    [(None, "api, web"), ("web", "web"), ("shop", "")],
    ids=["all", "one", "healed"],
)
def test_apps_that_are_not_healed(caller: Caller, app: str | None, said: str) -> None:
    """A dry run names the apps that it has not looked at, since their heal is off."""
    for name in ("web", "api", "shop"):
        (caller.home / name).mkdir()
        folder = caller.config_root / "registryd" / name
        folder.mkdir(parents=True)
        (folder / "heal").write_text("on" if name == "shop" else "off")
    settings = config.load(file=caller.options[1], overrides={}, environ={})
    lines: list[str] = []

    heal._tell_unhealed(settings, app, Output(line=lines.append, error=lines.append))

    wanted = f"heal is off, so nothing is restored: {said}. See: dokku registryd:report"
    assert lines == ([wanted] if said else [])


@pytest.mark.parametrize(
    ("gap", "text", "action"),
    [
        pytest.param(
            wanted.Retag(wanted=ENTRY, image_id="sha256:1d"),
            "retag  org/web:1  (its image is on this host)",
            "retag",
            id="retag",
        ),
        pytest.param(
            wanted.Pull(wanted=ENTRY),
            "pull   org/web:1  (from the registry, sha256:d)",
            "pull",
            id="pull",
        ),
        pytest.param(
            wanted.Retag(wanted=ENTRY, image_id="sha256:1d", leads_to="sha256:x"),
            "retag  org/web:1  (its image is on this host; it points to sha256:x now)",
            "retag",
            id="moved",
        ),
        pytest.param(
            wanted.Lost(wanted=ENTRY),
            "leave  org/web:1  (cannot be restored; rebuild the app)",
            "leave",
            id="lost",
        ),
    ],
)
def test_how_a_gap_is_shown(gap: wanted.Gap, text: str, action: str) -> None:
    """Each gap says what would be done, to a person and to a script."""
    assert heal._as_text(gap) == text
    assert heal._as_json(gap) == {
        "app": "web",
        "reference": "org/web:1",
        "action": action,
        "digest": "sha256:d",
        "leads_to": gap.leads_to,
    }
