"""The trigger `post-registry-login`: when plugins get a password, and when not."""

from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku import plugn
from dokku_registryd.core.auth.logins import Secret
from support.dokku_host import GLOBAL, Result
from support.login_host import LoginHost
from support.scripted_registry import ScriptedRegistry

DONE = " !     Login Succeeded for web\n"
NOT_CALLED = (
    " !     The trigger post-registry-login was not called: plugn would corrupt or"
    " execute this password. Only printable ASCII without backslashes is safe\n"
)
TRIGGER = "post-registry-login"
HOSTILE = [
    r"x\'; echo INJECTED >injected #",
    "x\\",
    r"a\nb",
    "two\nlines",
    "tab\tstop",
    "\x1b[2J",
    # In Shift JIS the last byte of this letter and a backslash are one character.
    "é'; echo INJECTED >injected #",
    "\x7f",
]
# Notes arguments and password, each closed by a NUL, and says something.
HOOK = """#!/usr/bin/env bash
printf '%s\\0' "$@" "$DOCKER_REGISTRY_PASS" >'{noted}'
echo 'for people'
echo 'for people too' >&2
exit {code}
"""
# How plugn 0.17.1 hands its environment on (go-basher 5.1.8, buildEnvfile and Run).
PLUGN = r"""#!/usr/bin/env bash
file=$(mktemp -p '{root}')
trap 'rm -f "$file"' EXIT
quote="'" escaped="\\'"
while IFS= read -r -d '' pair; do
  value=${pair#*=}
  printf "export %s=\$'%s'\n" "${pair%%=*}" "${value//$quote/$escaped}" >>"$file"
done < <(env -0)
cat >>"$file" <<'MAIN'
main() {
  set -e
  local hook=$2 plugin
  shift 2
  for plugin in "$PLUGIN_PATH"/enabled/*; do
    [[ -x $plugin/$hook ]] || continue
    "$plugin/$hook" "$@"
  done
}
MAIN
command=main
for word; do
  command+=" '${word//$quote/$quote\\$quote$quote}'"
done
env -i BASH_ENV="$file" bash -c "$command"
"""


@pytest.fixture
def host(tmp_path: Path) -> LoginHost:
    """Give a host whose plugn quotes as the real one does."""
    host = LoginHost(tmp_path)
    host.host.add_command("plugn", PLUGN.replace("{root}", str(tmp_path)))
    return host


def add_hook(host: LoginHost, *, code: int = 0, name: str = "listener") -> Path:
    """Install a plugin that wants to know of logins; return where it notes them."""
    noted = host.host.root / f"{name}.noted"
    script = HOOK.format(noted=noted, code=code)
    host.host.add_plugin(name, {TRIGGER: script})
    return noted


def log_in(host: LoginHost, registry: str, password: str) -> Result:
    """Log in for the app `web`."""
    words = ("registry:login", "--password-stdin", "web", registry, "it's me")
    return host.dokku(*words, stdin=password)


def test_plugins_are_told(host: LoginHost) -> None:
    """Server, user name and password arrive whole, and what plugins say is shown."""
    noted = add_hook(host)
    password = "".join(map(chr, range(0x21, 0x7F))).replace("\\", "")

    with ScriptedRegistry() as registry:
        result = log_in(host, registry.host, password)

    assert result == Result("for people\n", f"{DONE}for people too\n", 0)
    assert noted.read_text().split("\0") == [registry.host, "it's me", password, ""]
    assert host.spread("it's me", password) == [str(noted)]


@pytest.mark.parametrize("password", HOSTILE, ids=ascii)
def test_a_password_that_plugn_would_execute(host: LoginHost, password: str) -> None:
    """The login is done and stored, the trigger is not called, and that is said."""
    noted = add_hook(host)

    with ScriptedRegistry() as registry:
        result = log_in(host, registry.host, f"x{password}x")

    assert result == Result("", DONE + NOT_CALLED, 0)
    assert list(host.read("web")["auths"]) == [registry.host]
    assert not noted.exists()
    assert not (host.host.root / "injected").exists()


def test_why_they_are_refused(host: LoginHost) -> None:
    """The plugn of these tests does execute such a password, as the real one does."""
    add_hook(host)

    host.host.trigger(TRIGGER, "s", "u", environ={"DOCKER_REGISTRY_PASS": HOSTILE[0]})

    assert (host.host.root / "injected").read_text() == "INJECTED\n"


@pytest.mark.parametrize("password", HOSTILE, ids=ascii)
def test_only_what_is_safe_can_be_handed_over(tmp_path: Path, password: str) -> None:
    """A caller that forgets the check is stopped, without the password in the error."""
    plugins = plugn.Plugn(tmp_path, {})

    with pytest.raises(ValueError, match="plugn would execute SECRET") as caught:
        plugins.call(TRIGGER, SECRET=Secret(password))

    assert password not in str(caught.value)


def test_no_listener(host: LoginHost) -> None:
    """Without a plugin that wants it no password goes anywhere, nor is it a matter."""
    host.host.add_plugin("20_events", {TRIGGER: "#!/bin/sh\necho logged\n"})
    folder = host.host.add_plugin("idle", {TRIGGER: "#!/bin/sh\necho never\n"})
    (folder / TRIGGER).chmod(0o644)
    host.host.add_recorder("plugn")

    with ScriptedRegistry() as registry:
        result = log_in(host, registry.host, HOSTILE[0])

    assert result == Result("", DONE, 0)
    assert host.host.calls("plugn") == []


def test_a_plugin_fails(host: LoginHost) -> None:
    """Its words are the complaint, as in core, and the login stays."""
    add_hook(host, code=3)

    with ScriptedRegistry() as registry:
        result = log_in(host, registry.host, "password")

    assert result == Result(
        "for people\n", f"{DONE}for people too\n !     for people too\n", 1
    )
    assert list(host.read("web")["auths"]) == [registry.host]


def test_a_plugin_fails_silently(host: LoginHost) -> None:
    """Without words only the exit status tells."""
    host.host.add_plugin("listener", {TRIGGER: "#!/bin/sh\nexit 3\n"})

    with ScriptedRegistry() as registry:
        assert log_in(host, registry.host, "password") == Result("", DONE, 1)


def test_no_plugn(host: LoginHost) -> None:
    """Where plugn is missing the complaint says so."""
    add_hook(host)
    (host.host.bin / "plugn").unlink()

    with ScriptedRegistry() as registry:
        assert log_in(host, registry.host, "password") == Result(
            "",
            f"{DONE} !     Cannot call the trigger {TRIGGER}: plugn: No such file or"
            " directory\n",
            1,
        )


def test_a_refused_login_fires_no_trigger(host: LoginHost) -> None:
    """Before the registry takes a login no plugin hears of it."""
    noted = add_hook(host)

    result = log_in(host, "127.0.0.1:1", "password")

    assert result.code == 1
    assert not noted.exists()
    assert host.read(GLOBAL) is None
