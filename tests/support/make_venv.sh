#!/bin/sh
# Makes a virtual environment with a Python that can, and installs us in it.
#
# usage: make_venv.sh FOLDER [floors]
#
# With `floors` what the service needs has the lowest versions that pyproject.toml allows.
# REGISTRYD_PYTHON names another Python to be tried first. Then comes the one of the
# distribution: a host's service runs with it, and its build is optimized by profile,
# which takes a sixth off the processor time of the tests.
#
# Debian and Ubuntu keep what is needed for that in the package python3-venv; only if
# no Python has it, it is installed.
set -eu

say() { echo "make_venv: $*" >&2; }

# Having a name on PATH is not enough: pyenv leaves names of versions that are off.
find_python() {
  for python in ${REGISTRYD_PYTHON:-} /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3; do
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
      >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  return 1
}

install_python() {
  say "no Python >= 3.11 here can make a virtual environment: installing python3-venv"
  if [ "$(id -u)" = 0 ]; then sudo=""; else sudo=sudo; fi
  $sudo apt-get -q=2 update >/dev/null
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q=2 install -y \
    --no-install-recommends python3-venv >/dev/null
}

python=$(find_python) || { install_python && python=$(find_python); } || {
  say "there is no Python >= 3.11 with the modules venv and ensurepip: install one"
  exit 1
}
say "making $1 with $("$python" --version), and installing the daemon in it"
"$python" -m venv --clear "$1"
if [ "${2:-}" = floors ]; then
  "$1/bin/python" tests/support/floors.py floors >"$1/floors.txt"
  set -- "$1" --constraint "$1/floors.txt"
fi
folder=$1
shift
"$folder/bin/python" -m pip install -qq --disable-pip-version-check "$@" --editable '.[dev]'
