"""Dokku's own registry plugin, as far as ours beside it can tell the difference.

Written from the facts of Dokku 0.38.27, faults included: the number is on disk before
anything is pushed, extra tags go before it, a clone inherits it, and all names follow
the properties of this moment. It pushes with the Docker CLI and the app's own login.
"""

from typing import Final

_FUNCTIONS: Final = r"""# shellcheck shell=bash
PROPERTIES=${DOKKU_LIB_ROOT:?}/config/registry

detail() {
  [[ $DOKKU_QUIET_OUTPUT ]] || echo "       $*"
}

warn() {
  echo " !     $*" >&2
}

fail() {
  warn "$@"
  exit 1
}

property() {
  cat "$PROPERTIES/$1/$2" 2>/dev/null || true
}

trim() {
  read -r REPLY <<<"$1" || true
  printf '%s' "$REPLY"
}

# effective APP NAME: what the app has, else what all apps have.
effective() {
  local value
  value=$(trim "$(property "$1" "$2")")
  [[ $value ]] || value=$(property --global "$2")
  printf '%s' "$value"
}

is_pushing() {
  [[ $(effective "$1" push-on-release) == true ]]
}

server() {
  local value
  value=$(trim "$(effective "$1" server)")
  case ${value%/} in
    '' | docker.io | hub.docker.com) ;;
    *) printf '%s/' "${value%/}" ;;
  esac
}

image_repo() {
  local value
  value=$(trim "$(property "$1" image-repo)")
  [[ $value ]] || value=$(effective "$1" image-repo-template)
  value=${value//'{{ .AppName }}'/$1}
  printf '%s' "${value:-dokku/$1}"
}

make_folder() {
  mkdir -p "$PROPERTIES/$1"
  chmod 0755 "$PROPERTIES/$1"
}

write_property() {
  make_folder "$1"
  printf '%s' "$3" >"$PROPERTIES/$1/$2"
  chmod 0600 "$PROPERTIES/$1/$2"
}

# Not only properties: the folder's other file, the app's login, comes along.
copy_properties() {
  local file
  for file in "$PROPERTIES/$1"/*; do
    [[ ! -f $file ]] || write_property "$2" "${file##*/}" "$(cat "$file")"
  done
}

# What an app's pushes log in with; without any login of its own, the global one.
login_arguments() {
  local file=$PROPERTIES/$1/config.json
  ! grep -q '"auth"' "$file" 2>/dev/null || printf '%s\n' --config "${file%/*}"
}

scheduler() {
  local found
  found=$(plugn trigger scheduler-detect "$1" </dev/null)
  printf '%s' "${found:-docker-local}"
}
"""

_OPENING: Final = r"""#!/usr/bin/env bash
set -eo pipefail
source "${BASH_SOURCE[0]%/*}/functions"
"""

_RELEASE: Final = r"""
app=$2 image=$3

push() {
  local arguments
  mapfile -t arguments < <(login_arguments "$app")
  detail "Pushing $1"
  docker "${arguments[@]}" image push "$1" ||
    fail "unable to push image $1: docker image push command failed"
}

give_name() {
  docker image tag "$id" "$1" ||
    fail "unable to tag image $id as $1: docker tag command failed"
}

for hook in "${PLUGIN_ENABLED_PATH:?}"/*/pre-deploy; do
  [[ -e $hook && $hook != */20_events/* ]] || continue
  warn "Deprecated: please upgrade plugin to use 'pre-release-builder' plugin trigger" \
    "instead of pre-deploy"
  plugn trigger pre-deploy "$app" "${image##*:}"
  break
done
id=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
repo=$(image_repo "$app")
[[ $repo == "dokku/$app" ]] || give_name "$repo:${image##*:}"
is_pushing "$app" || exit 0

echo "-----> Pushing image to registry"
number=$(trim "$(property "$app" tag-version)")
[[ ${number:-0} =~ ^[0-9]+$ ]] ||
  fail "Unable to convert existing tag version ($number) to integer:" \
    "strconv.Atoi: parsing \"$number\": invalid syntax"
number=$((number + 1))
detail "Bumping tag to $number"
write_property "$app" tag-version "$number"
remote=$(server "$app")$repo
detail "Retrieving image info for app"
detail "Tagging $repo:$number in registry format"
give_name "$remote:$number"
give_name "$repo:$number"
IFS=, read -ra tags <<<"$(effective "$app" push-extra-tags)"
for tag in "${tags[@]}"; do
  detail "Tagging $repo as $tag in registry format"
  give_name "$remote:$tag"
  push "$remote:$tag"
done
push "$remote:$number"
if [[ $(scheduler "$app") != docker-local ]]; then
  detail "Cleaning up"
  for ((old = number - 2; old > 0 && old > number - 12; old--)); do
    docker image rm "$remote:$old" "$repo:$old" >/dev/null 2>&1 || true
  done
fi
detail "Image $remote:$number pushed"
for ((at = ${#tags[@]} - 1; at >= 0; at--)); do
  detail "Untagging extra tag ${tags[at]}"
  docker image rm "$remote:${tags[at]}" >/dev/null
done
"""

# Only the forms that a life needs; what these commands print is shown elsewhere.
_COMMANDS: Final = r"""
case $1 in
  registry:set)
    app=$2
    if [[ $4 ]]; then
      echo "=====> Setting $3 to $4"
      write_property "$app" "$3" "$4"
    else
      echo "=====> Unsetting $3"
      rm -f "$PROPERTIES/$app/$3"
    fi
    ;;
  registry:login)
    # --password-stdin APP SERVER USER
    app=$3
    make_folder "$app"
    DOCKER_CONFIG=$PROPERTIES/$app \
      docker login --username "$5" --password-stdin "$4" >/dev/null 2>&1 ||
      fail "Unable to run docker login"
    warn "Login Succeeded for $app"
    ;;
  registry:logout)
    DOCKER_CONFIG=$PROPERTIES/$2 docker logout "$3" >/dev/null
    ;;
  registry:report)
    echo "=====> $2 registry information"
    ;;
  help)
    echo "    registry, Manage registry settings for an app"
    ;;
  *)
    exit "${DOKKU_NOT_IMPLEMENTED_EXIT:?}"
    ;;
esac
"""

HOOKS: Final = {
    "functions": _FUNCTIONS,
    "commands": _OPENING + _COMMANDS,
    "post-release-builder": _OPENING + _RELEASE,
    "deployed-app-repository": _OPENING + 'server "$1"\necho\n',
    "deployed-app-image-repo": _OPENING + 'image_repo "$1"\necho\n',
    "deployed-app-image-tag": _OPENING
    + r"""
is_pushing "$1" || exit 0
number=$(trim "$(property "$1" tag-version)")
echo "${number:-1}"
""",
    "post-create": _OPENING + 'make_folder "$1"\n',
    "post-delete": _OPENING + 'rm -rf "${PROPERTIES:?}/${1:?}"\n',
    "post-app-clone-setup": _OPENING + 'copy_properties "$1" "$2"\n',
    "post-app-rename-setup": _OPENING
    + r"""
copy_properties "$1" "$2"
rm -rf "${PROPERTIES:?}/${1:?}"
""",
}
"""The texts of its files; `DokkuHost.enable_core` puts them in place."""
