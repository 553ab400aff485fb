"""Scripts in place of Dokku's own programs, by the rules that plugins can notice."""

from typing import Final

# The rules of plugn 0.17.1 (bashenv/plugn.bash): the glob's order, files only, what is
# not executable is named and skipped, the chain ends with the first failure. Enabling
# and disabling are one link, without a look at what is there.
PLUGN: Final = r"""#!/usr/bin/env bash
set -eo pipefail
case $1 in
  enable) exec ln -fs "${PLUGIN_PATH:?}/available/$2" "$PLUGIN_PATH/enabled/$2" ;;
  disable) exec rm "${PLUGIN_PATH:?}/enabled/$2" ;;
  trigger) ;;
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
if [[ $1 == help ]]; then
  set -- help
fi
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
