"""Scripts in place of Dokku's own programs, by the rules that plugins can notice."""

from typing import Final

# The rules of plugn 0.17.1 (bashenv/plugn.bash): the glob's order, files only, what is
# not executable is named and skipped, the chain ends with the first failure. Enabling
# and disabling are one link, without a look at what is there.
PLUGN: Final = r"""#!/usr/bin/env bash
set -eo pipefail
cd "${PLUGIN_PATH:?}/available"
case $1 in
  install)
    if [[ $2 == *.tar.gz || $2 == *.tgz ]]; then
      mkdir -p "$3"
      curl -sfL "$2" | tar xz -C "$3"
      cd "$3"
      mapfile -t folders < <(find . -maxdepth 1 -not -path . -type d)
      mapfile -t files < <(find . -maxdepth 1 -type f)
      [[ ${#folders[@]} == 1 && ${#files[@]} == 0 ]] || exit 0
      find "${folders[0]}" -mindepth 1 -maxdepth 1 -exec mv -f {} . \;
      exec rmdir "${folders[0]}"
    elif [[ ! -d $3 ]]; then
      exec git clone "$2" "$3"
    elif [[ ! -d $3/.git ]]; then
      echo "$3 is already installed, but it does not seem to be a git repository" >&2
      exit 1
    fi
    exit 0
    ;;
  uninstall) exec rm -rf "$PLUGIN_PATH/enabled/$2" "$PLUGIN_PATH/available/$2" ;;
  update)
    cd "$2"
    [[ -d .git ]] || { echo "Plugin ($2) not managed by git" && exit 0; }
    if [[ ! $3 && ! $(git symbolic-ref HEAD) ]]; then
      echo "Plugin pinned to $(<./.plugin_committish)" && exit 0
    fi
    git fetch &>/dev/null
    if [[ $3 ]]; then
      git fetch --tags &>/dev/null
      git checkout "$3" &>/dev/null
      git pull &>/dev/null || true
      echo "$3" >.plugin_committish
    else
      git pull &>/dev/null
    fi
    exit 0
    ;;
  list)
    for plugin in *; do
      # Where there is none the real one panics.
      version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$plugin/plugin.toml")
      status=$([[ -e $PLUGIN_PATH/enabled/$plugin ]] && echo enabled || echo disabled)
      echo "$plugin $version $status"
    done
    exit 0
    ;;
  enable) exec ln -fs "$PLUGIN_PATH/available/$2" "$PLUGIN_PATH/enabled/$2" ;;
  disable) exec rm "$PLUGIN_PATH/enabled/$2" ;;
  trigger) cd "$OLDPWD" ;;
  *) exit 2 ;;
esac
hook=$2
shift 2
shopt -s nullglob
for plugin in "${PLUGIN_PATH:?}"/enabled/*; do
  if [[ -f $plugin/$hook && -x $plugin/$hook ]]; then
    "$plugin/$hook" "$@"
  elif [[ -f $plugin/$hook ]]; then
    echo "Trigger '$hook' is not executable, skipping plugin (${plugin##*/})" >&2
  fi
done
"""

# How `dokku` 0.38.27 reads global flags (they count anywhere, and go when they lead)
# and hands a command that no subcommand answers to all plugins: 10 means "not mine", 0
# that others may answer too, and anything else ends it.
DOKKU: Final = r"""#!/usr/bin/env bash
set -eo pipefail
arguments=("$@")
for at in "${!arguments[@]}"; do
  case ${arguments[at]} in
    --quiet) export DOKKU_QUIET_OUTPUT=1 ;;
    --trace) export DOKKU_TRACE=1 ;;
    --force) export DOKKU_APPS_FORCE_DELETE=1 ;;
    --app) export DOKKU_APP_NAME=${arguments[at + 1]} ;;
  esac
done
while [[ $1 == --quiet || $1 == --trace || $1 == --force || $1 == --app ]]; do
  [[ $1 != --app ]] || shift
  shift
done
# What follows a change of plugins: bash-completion reads all commands.
prime() {
  "$0" --quiet help --all | awk '/^    /{ print $1 }' | sort >/dev/null
}
fail() {
  echo " !     $1" >&2
  exit 1
}
case $1 in
  help)
    # Any depth, links followed, folders too.
    for commands in $(find -L "${PLUGIN_PATH:?}/enabled" -name commands | sort); do
      "$commands" help
    done
    exit 0
    ;;
  plugin:install)
    if [[ $2 ]]; then
      name=$(awk -F/ '{ print $NF }' <<<"$2" | sed -e 's:.git$::g' -e 's:^dokku-::')
      [[ $3 != --name ]] || name=$4
      plugn install "$2" "$name"
      [[ ! -e $PLUGIN_ENABLED_PATH/$name ]] || fail "Plugin already enabled"
      plugn enable "$name"
    fi
    plugn trigger install
    prime
    exit 0
    ;;
  plugin:update)
    plugn update "$2" "$3"
    plugn trigger update
    prime
    exit 0
    ;;
  plugin:uninstall)
    [[ -e $PLUGIN_AVAILABLE_PATH/$2 ]] || fail "Plugin ($2) is not currently installed"
    plugn trigger uninstall "$2"
    plugn uninstall "$2"
    prime
    exit 0
    ;;
  plugin:enable | plugin:disable)
    plugn "${1#plugin:}" "$2"
    prime
    exit 0
    ;;
  plugin:list)
    exec plugn list
    ;;
esac
is_answered=
for commands in "${PLUGIN_ENABLED_PATH:?}"/*/commands; do
  status=0
  "$commands" "$@" || status=$?
  case $status in
    0) is_answered=1 ;;
    "${DOKKU_NOT_IMPLEMENTED_EXIT:?}") ;;
    *) exit "$status" ;;
  esac
done
if [[ ! $is_answered ]]; then
  echo " !     \`$1\` is not a dokku command." >&2
  echo " !     See \`dokku help\` for a list of available commands." >&2
  exit 1
fi
"""

# Each argument ends with a unit separator, each call with a record separator.
RECORDER: Final = r"""#!/bin/sh
{{ [ $# -eq 0 ] || printf '%s\037' "$@"; printf '\036'; }} >>"{log}"
printf '%s' '{stdout}'
exit {code}
"""

PLUGIN_TOML: Final = """[plugin]
description = "{name}"
version = "0.0.1"
[plugin.config]
"""
