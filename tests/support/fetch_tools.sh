#!/bin/sh
# Makes FOLDER/bin hold the programs of `make check` and the tests that the host lacks.
#
# usage: fetch_tools.sh FOLDER [boot]
#
# With `boot` it holds those of `make test-boot` instead.
# They are unpacked beside the Engines; nothing is installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bin"
cache=$(cd "$1" && pwd)

# need PROGRAM SET [VARIABLE=VALUE]
need() {
  if PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; then
    return
  fi
  echo "fetch_tools: this host has no $1" >&2
  "$here/fetch_engines.sh" "$cache" "$2"
  root=$cache/$2/root
  # Links of a unit to another one are absolute, and here they would lead elsewhere.
  find "$root" -path '*/systemd/system/*' -type l -delete
  libraries=$(find "$root" \( -name '*.so' -o -name '*.so.*' \) -exec dirname {} \; \
    | sort -u | paste -s -d :)
  cat >"$cache/bin/$1" <<END
#!/bin/sh
LD_LIBRARY_PATH='$libraries' ${3:-} exec '$(find "$root" -path "*bin/$1")' "\$@"
END
  chmod +x "$cache/bin/$1"
}

if [ "${2:-}" = boot ]; then
  need systemd-nspawn booter
  need debootstrap base-maker \
    "DEBOOTSTRAP_DIR='$cache/base-maker/root/usr/share/debootstrap'"
  exit
fi
need shellcheck linter
need strace tracer
need lnav log-viewer
need promtool rules-checker
# The server itself is as large as all the rest.
rm -f "$cache/rules-checker/root/usr/bin/prometheus"
need openssl certificate-maker "OPENSSL_CONF='$cache/certificate-maker/root/etc/ssl/openssl.cnf'"
units=$cache/unit-checker/root
need systemd-analyze unit-checker \
  "SYSTEMD_UNIT_PATH='$units/usr/lib/systemd/system:$units/lib/systemd/system:'"
