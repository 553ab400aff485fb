#!/bin/sh
# Unpacks Docker Engines and a registry for the tests into a folder of their own.
#
# usage: fetch_engines.sh FOLDER SET...
#
# Packages come through apt with apt folders of our own and are unpacked with dpkg -x:
# nothing is installed, no service starts, what the host has installed stays as it is,
# and root is not needed. A set lands in FOLDER/SET in one rename, so a set that is
# there is complete. The sets:
#
#   native             the host's own release: Engine, containerd, runc, registry
#   bookworm           Debian 12: Engine 20.10
#   trixie             Debian 13: Engine 26.1
#   forky              Debian testing: Engine 28.5, or what came after it
#   linter             the program shellcheck, for hosts that lack it
#   unit-checker       the program systemd-analyze, for hosts that lack it
#   certificate-maker  the program openssl, for hosts that lack it
#   tracer             the program strace, for hosts that lack it
#   log-viewer         the program lnav, for hosts that lack it
#   rules-checker      the program promtool, for hosts that lack it
#   booter             the program systemd-nspawn, for hosts that lack it
#   base-maker         the program debootstrap, for hosts that lack it
#   clock-shifter      the library libfaketime, which lets a process see another time
#   loader-setter      the program patchelf, for sets that need a newer C library
#
# The set of the host's own release is a link to `native`.
set -eu

say() { echo "fetch_engines: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

[ $# -ge 2 ] || fail "usage: fetch_engines.sh FOLDER SET..."

mkdir -p "$1"
cache=$(cd "$1" && pwd)
shift

# shellcheck source=/dev/null
. /etc/os-release
host_release=${VERSION_CODENAME:-unknown}
debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# -- apt, with folders of our own

# From here on apt speaks of one release; the host's own comes from the host's sources.
use_release() {
  apt_folder=$cache/apt/$1
  mkdir -p "$apt_folder/lists/partial" "$apt_folder/archives/partial"
  : >"$apt_folder/status"
  cat >"$apt_folder/apt.conf" <<END
Dir::State "$apt_folder";
Dir::State::status "$apt_folder/status";
Dir::Cache "$apt_folder";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
APT::Sandbox::User "$(id -un)";
END
  [ "$1" = "$host_release" ] || use_debian_sources "$1"
  update_lists "$1"
}

use_debian_sources() {
  cat >>"$apt_folder/apt.conf" <<END
Dir::Etc::sourcelist "$apt_folder/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
END
  keyring=$debian_keyring
  [ -e "$keyring" ] || keyring=$cache/keyring/root$debian_keyring
  # The lists of Debian testing expire after a week, but a mirror that lags will do:
  # what it has is signed.
  options="signed-by=$keyring check-valid-until=no"
  echo "deb [$options] $(debian_mirror) $1 main" >"$apt_folder/sources.list"
}

debian_mirror() {
  mirror=""
  if [ "${ID:-}" = debian ]; then
    # shellcheck disable=SC2016 # apt itself fills in what looks like a command
    mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' \
      | awk -v release="$host_release" '$1 == release { print $2; exit }')
  fi
  mirror=${mirror:-http://deb.debian.org/debian}
  echo "${mirror%/}"
}

apt_get() { APT_CONFIG=$apt_folder/apt.conf apt-get -q=2 "$@" >&2; }

is_known() {
  APT_CONFIG=$apt_folder/apt.conf apt-cache show "$1" >/dev/null 2>&1
}

update_lists() {
  [ ! -e "$apt_folder/updated" ] || return 0
  say "fetching the package lists of $1"
  # One foreign source that is down does not stop this; a package that is then
  # missing is.
  apt_get update || say "some package lists of $1 cannot be fetched; going on"
  : >"$apt_folder/updated"
}

# unpack FOLDER PACKAGE...
unpack() {
  into=$1
  shift
  mkdir -p "$into/debs" "$into/root"
  for package in "$@"; do
    say "fetching the package $package"
    (cd "$into/debs" && apt_get download "$package") \
      || fail "cannot fetch the package $package: see apt's lines above; try again"
  done
  for archive in "$into"/debs/*.deb; do
    dpkg -x "$archive" "$into/root"
    # shellcheck disable=SC2016 # dpkg-deb fills it in
    dpkg-deb --show --showformat='${Package} ${Version}\n' "$archive" \
      >>"$into/versions"
  done
  rm -rf "$into/debs"
}

# -- shared libraries that the host lacks

list_programs() {
  find "$1" -type f \( -path '*bin/dockerd' -o -path '*bin/docker' \
    -o -path '*bin/containerd*' -o -path '*bin/runc' -o -path '*bin/docker-registry' \
    -o -path '*bin/systemd-analyze' -o -path '*bin/systemd-nspawn' -o -path '*bin/shellcheck' \
    -o -path '*bin/openssl' -o -path '*bin/strace' -o -path '*bin/lnav' -o -name '*.so' -o -name '*.so.*' \)
}

list_library_folders() {
  find "$1" \( -name '*.so' -o -name '*.so.*' \) -exec dirname {} \; \
    | sort -u | paste -s -d :
}

list_missing_libraries() {
  folders=$(list_library_folders "$1")
  list_programs "$1" | while read -r program; do
    LD_LIBRARY_PATH=$folders ldd "$program" 2>/dev/null || :
  done | awk '/=> not found/ { print $1 }' | sort -u
}

# libsubid.so.4 is in the package libsubid4; t64 marks 64-bit times. One package has
# all of systemd's private libraries.
package_of() {
  case $1 in
    libsystemd-core-* | libsystemd-shared-*) name=libsystemd-shared ;;
    *)
      name=$(echo "$1" | tr 'A-Z_' 'a-z-' \
        | sed 's/\([0-9]\)\.so\./\1-/; s/\.so\.//')
      ;;
  esac
  for candidate in "$name" "${name}t64"; do
    if is_known "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  say "cannot tell which package holds the library $1"
  return 1
}

unpack_libraries() {
  for _ in 1 2 3 4; do
    packages=""
    for library in $(list_missing_libraries "$1/root"); do
      package=$(package_of "$library") || exit 1
      case " $packages " in
        *" $package "*) ;;
        *) packages="$packages $package" ;;
      esac
    done
    [ -n "$packages" ] || return 0
    # shellcheck disable=SC2086 # a list
    unpack "$1" $packages
  done
}

# -- a C library newer than the host's

# runc is always that of the host's own release.
list_outgrown() {
  folders=$(list_library_folders "$1")
  list_programs "$1" | grep 'bin/' | grep -v 'bin/runc$' | while read -r program; do
    if LD_LIBRARY_PATH=$folders ldd "$program" 2>&1 | grep -q 'GLIBC_.* not found'; then
      echo "$program"
    fi
  done
}

# unpack_c_library FOLDER FOLDER-TO-BE
#
# Debian's newest release moves on. Programs that the host's C library cannot run get
# the one of their release, by paths that are written into them. It lies beside `root`,
# so that no other program comes across it.
unpack_c_library() {
  outgrown=$(list_outgrown "$1/root")
  [ -n "$outgrown" ] || return 0
  say "the host's C library is too old: unpacking a newer one beside it"
  unpack "$1/c-library" libc6
  cat "$1/c-library/versions" >>"$1/versions"
  # In a subshell, since a set within a set changes globals.
  (fetch_set loader-setter)
  loader=$(cd "$1/c-library" && find root -type f -name 'ld-linux*.so.*')
  for program in $outgrown; do
    "$cache/loader-setter/root/usr/bin/patchelf" --force-rpath \
      --set-rpath "$2/c-library/$(dirname "$loader")" \
      --set-interpreter "$2/c-library/$loader" "$program"
  done
}

# -- sets

list_packages() {
  case $1 in
    keyring) echo debian-archive-keyring ;;
    linter) echo shellcheck ;;
    unit-checker) echo systemd ;;
    certificate-maker) echo openssl ;;
    tracer) echo strace ;;
    log-viewer) echo lnav ;;
    rules-checker) echo prometheus ;;
    booter) echo systemd-container ;;
    base-maker) echo debootstrap ;;
    clock-shifter) echo libfaketime ;;
    loader-setter) echo patchelf ;;
    native) echo "$(list_packages engine) docker-registry" ;;
    *)
      # Debian 13 split the command line off.
      if is_known docker-cli; then echo docker-cli; fi
      echo docker.io containerd runc
      ;;
  esac
}

release_of() {
  case $1 in
    bookworm | trixie | forky) echo "$1" ;;
    native | keyring | linter | unit-checker | certificate-maker | tracer | \
      log-viewer | rules-checker | booter | base-maker | clock-shifter | loader-setter)
      echo "$host_release"
      ;;
    *) fail "no such set: $1" ;;
  esac
}

fetch_set() {
  [ ! -e "$cache/$1/versions" ] || return 0
  if [ "$1" = "$host_release" ]; then
    fetch_set native
    ln -sfn native "$cache/$1"
    return
  fi
  release=$(release_of "$1")
  if [ "$release" != "$host_release" ] && [ ! -e "$debian_keyring" ]; then
    fetch_set keyring
  fi
  # The names of globals are in use again after a set within a set.
  use_release "$(release_of "$1")"
  new=$cache/$1.new
  rm -rf "$new" "${cache:?}/$1"
  # shellcheck disable=SC2046 # a list
  unpack "$new" $(list_packages "$1")
  unpack_libraries "$new"
  unpack_c_library "$new" "$cache/$1"
  mv "$new" "$cache/$1"
  say "ready: $1 ($(paste -s -d , "$cache/$1/versions"))"
}

# Of two callers at once the second waits, and then finds everything there.
exec 9>"$cache/.lock"
flock 9
trap 'rm -rf "$cache/apt"' EXIT
for wanted in "$@"; do
  fetch_set "$wanted"
done
