"""Logins: whose file is asked when, and what a helper may do to us."""

import base64
import json
import os
import stat
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.auth import helpers as auth_helpers
from dokku_registryd.adapters.auth.resolver import AuthConfigs
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from support.waiting import until

HOST = "registry.example:5000"
HUB = "https://index.docker.io/v1/"
PLANTED = "planted-secret-4711"

# Keeps one file a login, named after helper and server, in a folder beside itself.
KEEPER = """#!/bin/sh
set -eu
kept="$(dirname "$0")/kept"
mkdir -p "$kept"
input=$(cat)
name() { printf '%s' "$1" | tr '/:' '__'; }
case "$1" in
store)
  server=$(printf '%s' "$input" | sed 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/')
  printf '%s' "$input" > "$kept/$(name "$server")"
  ;;
get|erase)
  file="$kept/$(name "$input")"
  [ -f "$file" ] || { echo "credentials not found in native keychain"; exit 1; }
  if [ "$1" = get ]; then cat "$file"; else rm "$file"; fi
  ;;
esac
"""


@dataclass(frozen=True)
class Host:
    """A host's auth configs and credential helpers."""

    root: Path

    @property
    def credentials(self) -> AuthConfigs:
        """The adapter under test."""
        return AuthConfigs(
            config_root=self.root / "config",
            global_dir=self.root / "home" / ".docker",
            helper_timeout=120,
            helper_path=f"{self.root}/bin:/usr/bin:/bin",
        )

    @property
    def helpers(self) -> auth_helpers.CredentialHelpers:
        """The helpers, called directly."""
        path = f"{self.root}/bin:/usr/bin:/bin"
        return auth_helpers.CredentialHelpers(path=path, timeout=120, home="/")

    def folder(self, app: str) -> Path:
        """Return where an app's file is; the empty name is the global one."""
        return self.root / "config" / app if app else self.root / "home" / ".docker"

    def write(self, app: str, content: object) -> Path:
        """Write an auth config; text as it is, anything else as JSON."""
        path = self.folder(app) / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text)
        return path

    def install(self, name: str, script: str = KEEPER) -> None:
        """Install a credential helper."""
        path = self.root / "bin" / f"docker-credential-{name}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    def keep(self, helper: str, server: str, password: str) -> None:
        """Give a helper a login to keep."""
        auth = AuthConfig(domain=server, username="kept", password=Secret(password))
        self.helpers.store(helper, server, auth)

    def resolved(self, app: str, domain: str = HOST) -> str:
        """Return the password or identity token that is resolved."""
        found = self.credentials.resolve(app, domain)
        if found is None:
            return "anonymous"
        return found.password.reveal() or found.identity_token.reveal()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Give a host without any login."""
    return Host(tmp_path)


def entry(password: str, username: str = "user") -> dict[str, str]:
    """Return an entry as `docker login` writes it."""
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def auths(password: str, server: str = HOST) -> dict[str, Any]:
    """Return a file with one login."""
    return {"auths": {server: entry(password)}}


def failure(host: Host, app: str, domain: str = HOST) -> str:
    """Return everything that a failed resolution would print."""
    with pytest.raises(errors.AuthenticationError) as caught:
        host.credentials.resolve(app, domain)
    return "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_without_any_file_everybody_is_anonymous(host: Host) -> None:
    """No file, no login, and no error."""
    assert host.credentials.resolve("web", HOST) is None
    assert host.credentials.resolve("", HOST) is None


def test_the_apps_login_comes_before_the_global_one(host: Host) -> None:
    """The app's own entry wins, and other apps get the global one."""
    host.write("web", auths("own"))
    host.write("", auths("global"))

    assert host.resolved("web") == "own"
    assert host.resolved("api") == "global"
    assert host.resolved("") == "global"


def test_an_apps_file_does_not_hide_other_global_logins(host: Host) -> None:
    """A login for one registry leaves the global logins for others in force."""
    host.write("web", auths("own", "other.example"))
    host.write("", auths("global"))

    assert host.resolved("web") == "global"


def test_all_six_places_are_asked_in_order(host: Host) -> None:
    """Helper (or store) and entry of the app come before those of the host."""
    for name in ("one", "two", "three", "four"):
        host.install(name, KEEPER.replace("/kept", f"/kept-{name}"))
        host.keep(name, HOST, name)
    own = {**auths("own"), "credHelpers": {HOST: "one"}, "credsStore": "two"}
    shared = {**auths("global"), "credHelpers": {HOST: "three"}, "credsStore": "four"}
    seen = []

    for file in (own, shared):
        for key in ("credHelpers", "credsStore", "auths"):
            host.write("web", own)
            host.write("", shared)
            seen.append(host.resolved("web"))
            del file[key]
    host.write("web", own)
    host.write("", shared)
    seen.append(host.resolved("web"))

    assert seen == ["one", "two", "own", "three", "four", "global", "anonymous"]


@pytest.mark.parametrize(
    "key",
    [
        HUB,
        "https://index.docker.io/v1",
        "index.docker.io",
        "docker.io",
        "registry-1.docker.io",
        "https://registry-1.docker.io/v2/",
    ],
)
def test_docker_hub_is_one_host(host: Host, key: str) -> None:
    """Whichever way Docker Hub is spelled in the file, it is found."""
    host.write("web", auths("hub", key))

    assert host.resolved("web", "docker.io") == "hub"
    assert host.resolved("web", "index.docker.io") == "hub"


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}", f"https://{HOST}/v1/"])
def test_an_entry_may_be_an_address(host: Host, key: str) -> None:
    """Scheme and path of a key are left aside."""
    host.write("web", auths("found", key))

    assert host.resolved("web") == "found"


def test_a_port_makes_another_registry(host: Host) -> None:
    """A login for one port is not given to another."""
    host.write("web", auths("found", "registry.example"))

    assert host.resolved("web") == "anonymous"


@pytest.mark.parametrize("empty", [{}, {"auth": ""}, {"email": "a@b.example"}])
def test_an_empty_entry_is_not_a_login(host: Host, empty: dict[str, str]) -> None:
    """What `docker login` leaves behind with a store does not count as a hit."""
    host.write("web", {"auths": {HOST: empty}})
    host.write("", auths("global"))

    assert host.resolved("web") == "global"


def test_whose_file_a_login_is_in(host: Host) -> None:
    """A login says whether it is the app's own, as limits of a registry are its own."""
    host.write("", auths("shared"))
    host.write("web", auths("own"))

    own, shared = (host.credentials.resolve(app, HOST) for app in ("web", "api"))

    assert own is not None
    assert shared is not None
    assert (own.owner, shared.owner) == ("web", "")


def test_an_empty_entry_leads_to_the_store(host: Host) -> None:
    """With a store the entry is empty, and the store has the login."""
    host.install("keeper")
    host.keep("keeper", HOST, "in the store")
    host.write("web", {"auths": {HOST: {}}, "credsStore": "keeper"})

    assert host.resolved("web") == "in the store"


def test_plain_fields_are_understood(host: Host) -> None:
    """User name and password may stand there without base64."""
    login = {"username": "user", "password": "plain"}
    host.write("web", {"auths": {HOST: login}})

    assert host.credentials.resolve("web", HOST) == AuthConfig(
        domain=HOST, username="user", password=Secret("plain")
    )


def test_a_password_may_hold_colons(host: Host) -> None:
    """Only the first colon separates."""
    host.write("web", auths("a:b:c"))

    assert host.resolved("web") == "a:b:c"


def test_an_identity_token_is_kept_apart(host: Host) -> None:
    """A refresh token from the file is not a password, as in Azure's logins."""
    user = "00000000-0000-0000-0000-000000000000"
    login = {**entry("", user), "identitytoken": PLANTED}
    host.write("web", {"auths": {HOST: login}})

    assert host.credentials.resolve("web", HOST) == AuthConfig(
        domain=HOST, username=user, identity_token=Secret(PLANTED)
    )


@pytest.mark.parametrize(
    "content",
    [
        f"{{ {PLANTED}",
        json.dumps([PLANTED]),
        json.dumps({"auths": PLANTED}),
        json.dumps({"auths": {HOST: PLANTED}}),
        json.dumps({"auths": {HOST: {"auth": PLANTED}}}),
        json.dumps({"auths": {HOST: {"auth": base64.b64encode(b"\xff").decode()}}}),
        json.dumps({"auths": {HOST: {"auth": [PLANTED]}}}),
        json.dumps({"auths": {HOST: {"username": "\ud800", "password": PLANTED}}}),
        json.dumps(
            {"auths": {HOST: {"username": "ci", "password": PLANTED + "\udc00"}}}
        ),
        json.dumps({"auths": {HOST: entry(PLANTED)}, "\ud800": 1}),
        f'{{"auths": {{"{HOST}": {json.dumps(entry(PLANTED))}}}, "x": {"9" * 401}}}',
        f'{{"{PLANTED}": {"[" * 100_000}{"]" * 100_000}}}',
        json.dumps({"credHelpers": PLANTED}),
        json.dumps({"credsStore": [PLANTED]}),
    ],
)
def test_a_malformed_file_names_itself_only(host: Host, content: str) -> None:
    """The error names file and way out, never content, and other apps go on."""
    path = host.write("web", content)
    host.write("", auths("global"))

    text = failure(host, "web")

    assert str(path) in text
    assert "registry:login web" in text
    assert PLANTED not in text
    assert host.resolved("api") == "global"


def test_a_malformed_entry_leaves_the_others_alone(host: Host) -> None:
    """An entry that cannot be read concerns its own registry only."""
    broken = {"auth": "without-a-colon"}
    host.write("web", {"auths": {"other.example": broken, HOST: entry("good")}})

    assert host.resolved("web") == "good"


def test_a_malformed_global_file_spares_apps_with_a_login(host: Host) -> None:
    """The global file is not even read where the app's own has the login."""
    host.write("web", auths("own"))
    path = host.write("", PLANTED)

    assert host.resolved("web") == "own"
    assert str(path) in failure(host, "api")


def test_a_link_is_not_an_auth_config(host: Host, tmp_path: Path) -> None:
    """A link in place of the file or of the app's folder is refused."""
    target = host.write("other", auths(PLANTED))
    folder = host.folder("web")
    folder.mkdir()
    (folder / "config.json").symlink_to(target)
    host.folder("api").symlink_to(target.parent)

    assert "config.json: it is a link" in failure(host, "web")
    assert "its folder is a link" in failure(host, "api")


def test_the_global_folder_may_be_a_link(host: Host) -> None:
    """An operator may keep the folder `.docker` elsewhere."""
    host.write("", auths("global"))
    folder = host.folder("")
    folder.rename(host.root / "elsewhere")
    folder.symlink_to(host.root / "elsewhere")

    assert host.resolved("web") == "global"


def test_a_fifo_does_not_hang_us(host: Host) -> None:
    """A pipe in place of the file is refused at once."""
    host.folder("web").mkdir(parents=True)
    os.mkfifo(host.folder("web") / "config.json")

    assert "regular" in failure(host, "web")


def test_a_huge_file_is_refused(host: Host) -> None:
    """More than a MiB is not an auth config."""
    host.write("web", " " * (1 << 20) + "{} ")

    assert "large" in failure(host, "web")


@pytest.mark.parametrize(
    "app", ["../web", "web/..", "web\n", ".web", "--global", "Web", "a" * 256, "w\0b"]
)
def test_no_path_is_made_of_a_strange_app(host: Host, app: str) -> None:
    """A text that is not an app name is refused before any file is accessed."""
    host.write("", auths("global"))

    assert "not an app name" in failure(host, app)


def test_resolving_changes_nothing(host: Host) -> None:
    """Files keep content, mode and time."""
    path = host.write("web", auths("own"))
    path.chmod(0o644)
    before = path.stat()

    host.resolved("web")

    after = path.stat()
    assert (after.st_mtime_ns, after.st_mode) == (before.st_mtime_ns, before.st_mode)
    assert stat.S_IMODE(after.st_mode) == 0o644


# -- credential helpers


def test_a_helper_is_asked_afresh(host: Host) -> None:
    """A login that changes in the helper is seen by the next operation."""
    host.install("keeper")
    host.write("web", {"credHelpers": {HOST: "keeper"}})
    host.keep("keeper", HOST, "first")
    before = host.resolved("web")
    host.keep("keeper", HOST, "second")

    assert (before, host.resolved("web")) == ("first", "second")


def test_a_helper_knows_docker_hub_by_its_address(host: Host) -> None:
    """Helpers are asked for the address that `docker login` stores Hub under."""
    host.install("keeper")
    host.keep("keeper", HUB, "hub")
    host.write("web", {"credHelpers": {"docker.io": "keeper"}})

    assert host.resolved("web", "docker.io") == "hub"


def test_a_helper_with_nothing_is_not_an_error(host: Host) -> None:
    """`credentials not found` leads on to the next place."""
    host.install("keeper")
    host.write("web", {"credsStore": "keeper"})
    host.write("", auths("global"))

    assert host.resolved("web") == "global"


def test_the_user_token_means_an_identity_token(host: Host) -> None:
    """The user name `<token>` of a helper marks an OAuth2 refresh token."""
    host.install("keeper")
    login = AuthConfig(domain=HOST, identity_token=Secret(PLANTED))
    host.helpers.store("keeper", HOST, login)
    host.write("web", {"credHelpers": {HOST: "keeper"}})

    assert host.credentials.resolve("web", HOST) == login


def test_a_helper_sees_little(host: Host) -> None:
    """Only PATH, HOME and LANG are in its environment, and one word in its argv."""
    script = '#!/bin/sh\ncat >/dev/null\nenv > "${0%/*}/seen"; echo "$#" >> '
    script += '"${0%/*}/seen"\necho \'{"Username":"u","Secret":"s"}\'\n'
    host.install("nosy", script)
    host.write("web", {"credsStore": "nosy"})
    os.environ["REGISTRYD_PLANTED"] = PLANTED

    try:
        host.resolved("web")
    finally:
        del os.environ["REGISTRYD_PLANTED"]

    seen = (host.root / "bin" / "seen").read_text().splitlines()
    known = {line.partition("=")[0] for line in seen[:-1]}
    assert seen[-1] == "1"
    assert known - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "HOME", "LANG"}


def test_what_an_operator_lets_helpers_see() -> None:
    """A name, or its beginning with a star, in any case; PATH and HOME stay ours."""
    environ = {"https_proxy": "p", "AWS_PROFILE": "prod", "AWSX": "x", "SECRET": "x"}
    seen = auth_helpers.chosen(environ, ("HTTPS_PROXY", "AWS_*"))

    assert seen == {"https_proxy": "p", "AWS_PROFILE": "prod"}


def test_a_helper_gets_these_variables(host: Host) -> None:
    """They are in its environment beside ours, which none of them replaces."""
    host.install("nosy", '#!/bin/sh\ncat >/dev/null\nenv > "${0%/*}/seen"\nexit 1\n')
    helpers = replace(host.helpers, environ={"AWS_PROFILE": "prod", "HOME": "/x"})

    with pytest.raises(auth_helpers.HelperError):
        helpers.get("nosy", HOST)

    seen = (host.root / "bin" / "seen").read_text().splitlines()
    assert {"AWS_PROFILE=prod", "HOME=/"} <= set(seen)


@pytest.mark.parametrize(
    "body",
    [
        f"echo {PLANTED}; echo {PLANTED} >&2; exit 1",
        f"echo {PLANTED}",
        f"echo '[\"{PLANTED}\"]'",
        f'echo \'{{"Username":["{PLANTED}"],"Secret":"x"}}\'',
        f'echo \'{{"Username":"{PLANTED}"}}\'',
        f'echo \'{{"Username":"\\ud800","Secret":"{PLANTED}"}}\'',
        f'echo \'{{"Username":"u","Secret":"{PLANTED}","n":{"9" * 401}}}\'',
        f'echo \'{{"Username":"{PLANTED}","Secret":{"[" * 9000}\'',
        "kill -9 $$",
        f"while :; do echo {PLANTED}{PLANTED}{PLANTED}{PLANTED}; done",
    ],
    ids=[
        "fails",
        "garbage",
        "list",
        "types",
        "half",
        "surrogate",
        "digits",
        "depth",
        "killed",
        "endless",
    ],
)
def test_what_a_helper_prints_stays_hidden(host: Host, body: str) -> None:
    """A failing helper is named; nothing that it printed is."""
    host.install("bad", f"#!/bin/sh\ncat >/dev/null\n{body}\n")
    host.write("web", {"credHelpers": {HOST: "bad"}})

    text = failure(host, "web")

    assert "docker-credential-bad" in text
    assert PLANTED not in text


def test_a_helper_that_hangs_is_ended_with_its_children(host: Host) -> None:
    """After the time limit the whole process group is gone."""
    # The child would live longer than this test waits for its end.
    script = '#!/bin/sh\nsleep 600 &\necho $! > "${0%/*}/child"\nwait\n'
    host.install("slow", script)
    helpers = auth_helpers.CredentialHelpers(
        path=f"{host.root}/bin:/bin:/usr/bin", timeout=0.5, home="/"
    )

    with pytest.raises(auth_helpers.HelperError, match=r"within 0\.5 s"):
        helpers.get("slow", HOST)

    child = int((host.root / "bin" / "child").read_text())
    until(lambda: not _is_alive(child), what="the end of the child")


def test_a_child_left_behind_does_not_delay(host: Host) -> None:
    """A helper that starts an agent is done when it ends itself."""
    script = '#!/bin/sh\nsleep 20 &\necho $! > "${0%/*}/child"\n'
    script += 'echo \'{"Username":"u","Secret":"quick"}\'\n'
    host.install("agent", script)
    host.write("web", {"credsStore": "agent"})

    found = host.resolved("web")

    child = int((host.root / "bin" / "child").read_text())
    was_alive = _is_alive(child)
    os.kill(child, 9)
    assert (found, was_alive) == ("quick", True)


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "a b", "a\nb", "none-such"])
def test_a_strange_helper_is_not_run(host: Host, name: str) -> None:
    """Names that are none, and programs that are not installed, are refused."""
    with pytest.raises(auth_helpers.HelperError):
        host.helpers.get(name, HOST)


def test_helpers_are_found_on_the_given_path_only(host: Host) -> None:
    """Relative folders of the path are left out."""
    host.install("keeper")
    here = auth_helpers.CredentialHelpers(
        path=os.path.relpath(host.root / "bin"), timeout=120, home="/"
    )

    with pytest.raises(auth_helpers.HelperError, match="not installed"):
        here.get("keeper", HOST)


def test_a_helper_stores_and_erases(host: Host) -> None:
    """What is stored is given back until it is erased; erasing twice is harmless."""
    host.install("keeper")
    login = AuthConfig(domain=HOST, username="user", password=Secret("kept"))

    host.helpers.store("keeper", HOST, login)
    found = host.helpers.get("keeper", HOST)
    erased = [host.helpers.erase("keeper", HOST) for _ in range(2)]

    assert (found, erased) == (login, [True, False])
    assert host.helpers.get("keeper", HOST) is None


def test_a_helper_that_cannot_store_says_so(host: Host) -> None:
    """A failed store is an error that hides the login."""
    host.install("bad", "#!/bin/sh\ncat\nexit 3\n")
    login = AuthConfig(domain=HOST, username="user", password=Secret(PLANTED))

    with pytest.raises(auth_helpers.HelperError, match="status 3") as caught:
        host.helpers.store("bad", HOST, login)

    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("words", ["not implemented", "add is unimplemented"])
def test_a_helper_that_gets_logins_itself(host: Host, words: str) -> None:
    """Helpers of clouds refuse to store, and an operator need not find out why."""
    host.install("cloud", f"#!/bin/sh\ncat >/dev/null\necho {words}\nexit 1\n")
    login = AuthConfig(domain=HOST, username="user", password=Secret(PLANTED))

    with pytest.raises(auth_helpers.HelperError, match="is not needed there"):
        host.helpers.store("cloud", HOST, login)


# -- forget


def destroyed(host: Host, content: object) -> str:
    """Return a detached folder with an auth config."""
    folder = host.root / "forgotten" / "registry"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(content))
    return str(folder)


def test_forgetting_erases_from_helpers(host: Host) -> None:
    """Logins of store and helpers are erased; a second run finds none."""
    host.install("keeper")
    host.install("other", KEEPER.replace("/kept", "/kept-other"))
    host.keep("keeper", HOST, "a")
    host.keep("keeper", HUB, "b")
    host.keep("other", "third.example", "c")
    folder = destroyed(
        host,
        {
            "auths": {HOST: {}, HUB: {}},
            "credsStore": "keeper",
            "credHelpers": {"third.example": "other"},
        },
    )

    first = host.credentials.forget(folder)
    second = host.credentials.forget(folder)

    assert (first, second) == ([HOST, "docker.io", "third.example"], [])
    assert list((host.root / "bin" / "kept").iterdir()) == []
    assert list((host.root / "bin" / "kept-other").iterdir()) == []


@pytest.mark.parametrize("other", ["", "api", "--global"])
def test_a_login_in_use_is_kept(host: Host, other: str) -> None:
    """What the global file or another app still refers to stays in the helper."""
    host.install("keeper")
    host.keep("keeper", HOST, "shared")
    host.keep("keeper", "own.example", "own")
    host.write(other, {"auths": {f"https://{HOST}/v1/": {}}, "credsStore": "keeper"})
    content = {"auths": {HOST: {}, "own.example": {}}, "credsStore": "keeper"}

    erased = host.credentials.forget(destroyed(host, content))

    assert erased == ["own.example"]
    assert host.helpers.get("keeper", HOST) is not None


def test_forgetting_without_helpers_is_nothing(host: Host) -> None:
    """Logins in the file itself go with the file; a missing file is fine."""
    assert host.credentials.forget(destroyed(host, auths("own"))) == []
    assert host.credentials.forget(str(host.root / "none")) == []


def test_a_failing_helper_asks_for_another_attempt(host: Host) -> None:
    """What can be erased is erased, then the failure is transient and names no text."""
    host.install("keeper")
    host.install("bad", f"#!/bin/sh\ncat >/dev/null\necho {PLANTED}\nexit 1\n")
    host.keep("keeper", HOST, "a")
    helpers = {"bad.example": "bad", HOST: "keeper"}
    folder = destroyed(host, {"credHelpers": helpers})

    with pytest.raises(errors.TransientError, match=r"bad\.example") as caught:
        host.credentials.forget(folder)

    assert PLANTED not in str(caught.value)
    assert host.helpers.get("keeper", HOST) is None


def test_what_waits_for_a_helper_holds_no_secret(host: Host) -> None:
    """A helper that fails for long keeps no login of the file itself in its place."""
    host.install("bad", "#!/bin/sh\ncat >/dev/null\nexit 1\n")
    content = {**auths(PLANTED, "own.example"), "credHelpers": {HOST: "bad"}}
    folder = destroyed(host, content)

    for _ in range(2):
        with pytest.raises(errors.TransientError):
            host.credentials.forget(folder)

    left = json.loads((Path(folder) / "config.json").read_text())
    assert left == {"auths": {"own.example": {}}, "credHelpers": {HOST: "bad"}}


def test_tokens_of_a_browser_are_erased_too(host: Host) -> None:
    """Docker's login by browser keeps three logins for Docker Hub, and uses one."""
    host.install("keeper")
    servers = (HUB, f"{HUB}access-token", f"{HUB}refresh-token")
    for number, server in enumerate(servers):
        host.keep("keeper", server, str(number))
    content = {"auths": {server: {} for server in servers}, "credsStore": "keeper"}
    path = host.write("web", content)
    assert host.resolved("web", "docker.io") == "0"
    path.unlink()

    host.credentials.forget(destroyed(host, content))

    assert [host.helpers.get("keeper", server) for server in servers] == [None] * 3


@pytest.mark.parametrize("words", ["not implemented", "delete is unimplemented"])
def test_a_helper_that_keeps_nothing_is_fine(host: Host, words: str) -> None:
    """Helpers of clouds refuse to erase, as they have nothing to erase."""
    host.install("cloud", f"#!/bin/sh\ncat >/dev/null\necho {words}\nexit 1\n")
    folder = destroyed(host, {"credHelpers": {HOST: "cloud"}})

    assert host.credentials.forget(folder) == []


def test_an_unreadable_neighbour_postpones_forgetting(host: Host) -> None:
    """While it cannot be told who else uses a login, it is kept."""
    host.install("keeper")
    host.keep("keeper", HOST, "perhaps shared")
    path = host.write("api", PLANTED)
    folder = destroyed(host, {"auths": {HOST: {}}, "credsStore": "keeper"})

    with pytest.raises(errors.TransientError) as caught:
        host.credentials.forget(folder)

    assert str(path) in str(caught.value)
    assert PLANTED not in str(caught.value)
    assert host.helpers.get("keeper", HOST) is not None


def _is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
