"""Shell and Python keep the same rules: what one writes, the other reads."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import destroyed_apps, property_files
from dokku_registryd.core.dokku import policy as dokku_policy
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.hook.triggers import Trigger
from dokku_registryd.core.install import environment_files
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases
from support.dokku_host import GLOBAL, DokkuHost

MARKS = ("a", "Z", "0", "-", ".", "_", "/", ":", "@", " ", "\n", "\x1b", "é", "*")
ORIGIN = {
    "DOKKU_BUILD_SOURCE": "git-hook",
    "SSH_NAME": "ana k.",
    "GIT_REV": "3f1c9a7",
}
TEXTS = (
    *(
        "".join(marks)
        for size in range(4)
        for marks in itertools.product(MARKS, repeat=size)
    ),
    *("a" * size for size in (127, 128, 129, 200, 201, 255, 256, 511, 512, 513)),
)
# The functions are asked for many values at once, each closed by a NUL.
RULES = """
. {functions}
. {spool_functions}
while IFS= read -r -d '' key && IFS= read -r -d '' value; do
  if is_value "$key" "$value"; then echo yes; else echo no; fi
done
"""
COMPUTED = """
. {functions}
. {property_functions}
for folder in {config}/registry/app-*; do
  app=${{folder##*/}}
  compute_server "$app"; printf '%s\\037' "$REPLY"
  compute_image_repo "$app"; printf '%s\\037' "$REPLY"
  if is_push_enabled "$app"; then printf 'True\\037'; else printf 'False\\037'; fi
done
"""
SETTINGS = """
. {functions}
. {rules}
for file in {folder}/*; do
  (A='' B='' && read_settings "$file" && printf '%s\\037%s\\036' "$A" "$B")
done
"""
PIECES = ("a", " ", "'", '"', "\\", "\n", "$", "#", "B=1", "\\\n", "'b c'", '"\\"d"')
VALUES = (None, "", " ", "true", "true\n", " docker.io/", "r.io//", "{{.AppName}}x\n")


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host on which our plugin is in charge."""
    host = DokkuHost(tmp_path)
    host.add_recorder("dokku-registryd")
    return host


@pytest.fixture
def files(host: DokkuHost) -> property_files.PropertyFiles:
    """Give the daemon's view of the same host."""
    return property_files.PropertyFiles(
        config_root=host.config_root,
        dokku_root=host.dokku_root,
        deployed_root=host.data_dir / "deployed",
    )


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            ("post-release-builder", "pack", "web", "dokku/web:latest"),
            Trigger(
                kind=Kind.RELEASE,
                app="web",
                image="dokku/web:latest",
                scheduler="docker-local",
                build="1abc",
                source="git-hook",
                deployer="ana k.",
                revision="3f1c9a7",
            ),
        ),
        (
            ("post-deploy", "web", "", "", "latest"),
            Trigger(kind=Kind.DEPLOYED, app="web", tag="latest", build="1abc"),
        ),
        (("post-delete", "web", ""), Trigger(kind=Kind.DESTROYED, app="web")),
        (
            ("post-app-rename-setup", "web", "blog"),
            Trigger(kind=Kind.RENAMED, app="web", other="blog"),
        ),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
def test_the_daemon_reads_triggers(
    host: DokkuHost, call: tuple[str, ...], expected: Trigger
) -> None:
    """Name and content of each trigger file are what the daemon takes."""
    host.set_property(GLOBAL, "push-on-release", "true")

    host.trigger(*call, environ={"DOKKU_BUILD_ID": "1abc", **ORIGIN})

    ((name, content),) = host.spool().items()
    assert triggers.is_trigger_id(name)
    found = triggers.parse(content)
    # A release names the process that waits for it.
    assert bool(found.waiter) is (found.kind is Kind.RELEASE)
    assert replace(found, waiter="") == expected
    assert triggers.render(found) == content


def is_deploy_continued(key: str, value: str) -> bool:
    """Tell whether the daemon takes a value."""
    fields = {"app": "web", "image": "x", "scheduler": "x", "other": "x", "tag": "x"}
    kinds = {
        "app": Kind.DESTROYED,
        "other": Kind.RENAMED,
        "tag": Kind.DEPLOYED,
        "image": Kind.RELEASE,
        "scheduler": Kind.RELEASE,
        "deployer": Kind.RELEASE,
    }
    try:
        triggers.render(Trigger(kind=kinds[key], **{**fields, key: value}))
    except errors.InvalidTriggerError:
        return False
    return True


def test_the_same_values_are_refused(host: DokkuHost) -> None:
    """A hook refuses a value exactly where the daemon would."""
    keys = ("app", "other", "image", "scheduler", "tag", "deployer")
    pairs = list(itertools.product(keys, TEXTS))
    pairs.remove(("deployer", ""))  # An optional key without a value is left out.
    script = RULES.format(
        functions=host.hook("functions"), spool_functions=host.hook("spool-functions")
    )

    result = host.run(
        ["/bin/bash", "-c", script],
        stdin="".join(f"{key}\0{value}\0" for key, value in pairs),
    )

    answers = [line == "yes" for line in result.stdout.splitlines()]
    assert len(answers) == len(pairs)
    assert [
        pair
        for pair, answer in zip(pairs, answers, strict=True)
        if answer != is_deploy_continued(*pair)
    ] == []


ONE_LINE = """
. {functions}
. {spool_functions}
for text; do
  one_line "$text"
  [ -z "$REPLY" ] || is_text "$REPLY" || echo "refused: $text"
  printf '<%s>\\n' "$REPLY"
done
"""


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_texts_of_other_programs(host: DokkuHost, shell: str, locale: str) -> None:
    """What a hook takes over is one short line that the daemon accepts."""
    cases = {
        "git-hook": "git-hook",
        "ana k. <ana@host>": "ana k. <ana@host>",
        " \t": "?",
        "  ": "",
        "": "",
        "ana\nwaiter=1": "ana?waiter=1",
        "\x1b[31mred\x1b[0m": "?[31mred?[0m",
        "Jos\u00e9": "Jos?",
        "\u00e9\u00e8": "?",
        "a" * 200: "a" * 200,
        "a" * 201: "a" * 200,
        "\na" * 5000: "?a" * 100,
        f"{'a' * 199} b": "a" * 199,
        "* $HOME `id` 'x' \"y\" \\\\": "* $HOME `id` 'x' \"y\" \\\\",
    }
    script = ONE_LINE.format(
        functions=host.hook("functions"), spool_functions=host.hook("spool-functions")
    )

    result = host.run([shell, "-c", script, shell, *cases], environ={"LC_ALL": locale})

    assert result.stdout.splitlines() == [f"<{text}>" for text in cases.values()]


@pytest.mark.parametrize("everywhere", VALUES)
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_same_values_are_computed(
    host: DokkuHost,
    files: property_files.PropertyFiles,
    shell: str,
    everywhere: str | None,
) -> None:
    """Server, repository and push come out alike in both languages."""
    names = ("server", "image-repo-template", "push-on-release")
    cases = itertools.product(VALUES, VALUES)
    for number, (value, image_repo) in enumerate(cases):
        for name in names:
            if value is not None:
                host.set_property(f"app-{number:03}", name, value)
        host.set_property(f"app-{number:03}", "image-repo", image_repo or "")
    for name in names:
        if everywhere is not None:
            host.set_property(GLOBAL, name, everywhere)
    script = COMPUTED.format(
        functions=host.hook("functions"),
        property_functions=host.hook("property-functions"),
        config=host.config_root,
    )

    result = host.run([shell, "-c", script])

    expected = [
        str(text)
        for number in range(len(VALUES) ** 2)
        for policy in [
            dokku_policy.resolve(f"app-{number:03}", files.get, dokku_policy.Defaults())
        ]
        for text in (policy.server, policy.image_repo, policy.push_on_release)
    ]
    assert result.stdout.split("\x1f")[:-1] == expected


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
def test_the_same_settings_are_read(
    host: DokkuHost, tmp_path: Path, shell: str
) -> None:
    """Quotes, comments and continued lines of the settings file mean the same."""
    folder = tmp_path / "settings"
    folder.mkdir()
    texts = [
        "A=" + "".join(pieces)
        for size in range(4)
        for pieces in itertools.product(PIECES, repeat=size)
    ]
    for number, text in enumerate(texts):
        (folder / f"{number:05}").write_text(text)
    script = SETTINGS.format(
        functions=host.hook("functions"),
        rules=host.hook("environment-file"),
        folder=folder,
    )

    result = host.run([shell, "-ec", script])

    answers = result.stdout.split("\x1e")[:-1]
    found = [environment_files.parse(text).values for text in texts]
    assert (result.stderr, result.code) == ("", 0)
    assert [
        text
        for text, answer, values in zip(texts, answers, found, strict=True)
        if answer != f"{values.get('A', '')}\x1f{values.get('B', '')}"
    ] == []


NAMES = (
    *("PATH", "IFS", "LC_ALL", "LANG", "BASH_ENV", "ENV", "REPLY", "PPID", "UID", "_"),
    *("DOKKU_BUILD_ID", "DOKKU_LIB_ROOT", "PLUGIN_PATH", "settings", "SHELLOPTS"),
    *("HTTPS_PROXY", "https_proxy", "NO_PROXY", "AWS_PROFILE", "A", "A1", "1A", "A-B"),
    *("DOKKU_REGISTRYD_BIN", "DOKKU_REGISTRYD_X", "DOKKU_REGISTRYD_DEFAULTS", ""),
)


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
def test_the_same_variables_are_for_hooks(host: DokkuHost, shell: str) -> None:
    """`check` names exactly the variables that hooks leave alone."""
    script = f""". {host.hook("environment-file")}
        for name; do if is_setting "$name"; then echo "$name"; fi; done
    """

    result = host.run([shell, "-c", script, shell, *NAMES])

    assert result.stdout.splitlines() == [
        name
        for name in NAMES
        if name in environment_files.parse(f"{name}=1").values
        and environment_files.is_for_hooks(name)
    ]


def test_hooks_read_the_daemons_record(
    host: DokkuHost, files: property_files.PropertyFiles
) -> None:
    """What the daemon records is what Dokku is answered with."""
    release = releases.DeployedRelease(
        server="r.io:5000/", image_repo="o/w", number=12, digest=f"sha256:{'0' * 64}"
    )

    files.record_deployed("web", release)

    questions = (
        "deployed-app-repository",
        "deployed-app-image-repo",
        "deployed-app-image-tag",
    )
    answers = [host.trigger(name, "web").stdout for name in questions]
    assert answers == ["r.io:5000/\n", "o/w\n", "12\n"]


def test_the_daemon_finds_what_was_set_aside(host: DokkuHost) -> None:
    """The daemon recognises the folder of a destroyed app."""
    host.set_property("web.2", "config.json", "{}")

    host.trigger("post-delete", "web.2", "latest")

    forgotten = destroyed_apps.DestroyedApps(
        root=host.data_dir / "forgotten", config_root=host.config_root
    )
    (folder,) = forgotten.of("web.2")
    assert (Path(forgotten.login_folder(folder)) / "config.json").read_text() == "{}"


SOURCED = ("record-functions", "property-functions", "spool-functions")


@pytest.mark.parametrize("name", [*SOURCED, "app-removal-functions", "follow-reply"])
def test_what_a_hook_sources(host: DokkuHost, name: str) -> None:
    """Each file works after `functions` alone, and changes nothing by being sourced."""
    shells = ["bash"] if name == "follow-reply" else ["dash", "bash"]
    script = f'. {host.hook("functions")}; . {host.hook(name)}; echo "$DATA_DIR"'

    results = [host.run([shell, "-euc", script]) for shell in shells]

    assert [(result.stdout, result.stderr, result.code) for result in results] == [
        (f"{host.data_dir}\n", "", 0)
    ] * len(shells)
