#!/usr/bin/env bash
# Install what building and testing vl2 needs and this machine lacks, from Debian's packages.
# Usage: install-dependencies.sh [lint | clients | deploy | packages | board]
#   also what 'make lint', 'make test-clients', 'make test-deploy', 'make check-packages' and 'make test-packages', or
#   'make test-board' need
# Does nothing, and asks nothing, where nothing is missing. Root installs directly; anybody else is asked
# before sudo runs, and where there is nobody to ask, the command to run is printed instead.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

missing=()
# Packages that are wanted as programs alone, whose services are not to start, now or with the machine.
only_programs=(nginx prometheus mosquitto openssh-server slurmctld slurmd munge)
need_program() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }   # PROGRAM PACKAGE
need_file() { [ -e "$1" ] || missing+=("$2"); }                         # PATH PACKAGE
need_library() {                                                        # PKG_CONFIG_NAME PACKAGE
  pkg-config --exists "$1" 2>/dev/null || dpkg -s "$2" >/dev/null 2>&1 || missing+=("$2")
}
need_shared_library() {                                                 # FILE PACKAGE
  # grep reads to the end: a pipe that is closed early would count as a failure.
  PATH=$PATH:/sbin ldconfig -p | grep "^[[:space:]]$1 " >/dev/null || missing+=("$2")
}

# Runs a command that installs packages while no service may start: they ask this program whether one may, and 101 says no.
# A machine that has such a program has rules of its own, which stay.
without_services() {                        # without_services COMMAND...      with sudo in $as, where it is needed
  local policy=/usr/sbin/policy-rc.d status=0
  if [ -e "$policy" ]; then "$@"; return; fi
  trap '"${as[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as[@]}" tee "$policy" >/dev/null
  "${as[@]}" chmod 755 "$policy"
  "$@" || status=$?
  "${as[@]}" rm -f "$policy"
  trap - EXIT
  return "$status"
}

# Installs $missing; the arguments go before each command (sudo).
install_missing() {
  local package as=("$@") install
  say "Installing: ${missing[*]}"
  "$@" apt-get update >&2
  if [[ " ${missing[*]} " == *" swiftlang "* ]] && [ -z "$(apt-cache show swiftlang 2>/dev/null)" ]; then
    fail "vl2 needs Swift 6.0 or newer, and this release has no package of it (Debian 13 has: swiftlang);" \
      "install it from https://www.swift.org/install/linux/ so that 'swift' is in PATH, then try again"
  fi
  install=("$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
  without_services "${install[@]}" >&2
  for package in "${only_programs[@]}"; do
    if [[ " ${missing[*]} " == *" $package "* ]] && command -v systemctl >/dev/null 2>&1; then
      "$@" systemctl disable --quiet "${package/openssh-server/ssh}" >&2 || true
    fi
  done
}

need_program make make
need_program git git                            # SwiftPM fetches its packages with git,
need_file /etc/ssl/certs ca-certificates        # over https
need_program pkg-config pkg-config
need_file /usr/include/stdlib.h libc6-dev       # Debian's compilers only recommend the C library's headers
need_library libturbojpeg libturbojpeg0-dev
need_library spng libspng-dev
need_library libzstd libzstd-dev
need_library libcrypto libssl-dev
need_library libmicrohttpd libmicrohttpd-dev
need_library yaml-0.1 libyaml-dev
need_shared_library libwebp.so.7 libwebp7       # opened at run time, when a WebP picture is read
need_shared_library libfreetype.so.6 libfreetype6   # opened at run time, when a label needs a font
need_program swift swiftlang
if [ "${1:-}" = lint ]; then
  need_program python3 python3
  need_program shellcheck shellcheck
elif [ "${1:-}" = clients ]; then
  PATH=$PATH:/usr/sbin:/sbin
  need_program python3 python3
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)      # Debian keeps it apart
  need_program slowhttptest slowhttptest
  need_program nginx nginx
  need_program openssl openssl
  need_program curl curl
  need_program jq jq
  need_program prometheus prometheus              # with promtool
  need_program chromium chromium
  need_program espeak-ng espeak-ng
  need_program mosquitto mosquitto
  need_program mosquitto_pub mosquitto-clients
  need_program pdftoppm poppler-utils
  need_program ffmpeg ffmpeg
  need_file /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf fonts-dejavu-core
  # GStreamer's RTSP server, for Debian's own Python.
  /usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' 2>/dev/null ||
    missing+=(python3-gi gir1.2-gst-rtsp-server-1.0)
elif [ "${1:-}" = deploy ]; then
  PATH=$PATH:/usr/sbin:/sbin
  need_program python3 python3
  need_program nginx nginx
  need_program sshd openssh-server
  need_program ssh openssh-client
  need_program rsync rsync
  # moreutils has another program of this name.
  parallel --version 2>/dev/null | grep -q '^GNU parallel' || missing+=(parallel)
  need_program munged munge
  need_program slurmctld slurmctld
  need_program slurmd slurmd
  need_program sbatch slurm-client
elif [ "${1:-}" = packages ]; then
  need_program lintian lintian
  need_program readelf binutils
  need_program systemd-analyze systemd
  need_program qemu-aarch64-static qemu-user-static
  need_program debootstrap debootstrap
  need_program curl curl
elif [ "${1:-}" = board ]; then
  PATH=$PATH:/usr/sbin:/sbin
  need_program python3 python3
  need_program qemu-system-aarch64 qemu-system-arm
  need_program debootstrap debootstrap
  need_program mke2fs e2fsprogs
  need_program depmod kmod
  need_program cpio cpio
  need_program xz xz-utils
  need_program ffmpeg ffmpeg
fi

if [ "${#missing[@]}" -gt 0 ]; then
  command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  if ! command -v apt-get >/dev/null 2>&1; then
    fail "vl2 needs these, by their Debian names, and there is no apt-get here to install them: ${missing[*]}"
  elif [ "$(id -u)" -eq 0 ]; then
    install_missing
  elif command -v sudo >/dev/null 2>&1 && [ -t 0 ] && [ -t 2 ]; then
    read -r -p "vl2 needs these Debian packages: ${missing[*]}. Install them with sudo now? [y/N] " answer
    case $answer in
      [yY] | [yY][eE][sS]) install_missing sudo ;;
      *) fail "Nothing was installed. By hand: sudo sh -c '$command'" ;;
    esac
  elif [ -n "${CI:-}" ] && sudo -n true 2>/dev/null; then
    install_missing sudo -n
  else
    fail "vl2 needs Debian packages that are missing here. As root, run: $command"
  fi
fi

# A Swift that is too old fails later, with errors that do not say so.
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
if [ "${version%%.*}" -lt 6 ] 2>/dev/null || [ -z "$version" ]; then
  fail "vl2 needs Swift 6.0 or newer, and $(command -v swift) says it is '${version:-unknown}';" \
    "install a newer one (Debian 13: swiftlang; elsewhere https://www.swift.org/install/linux/)"
fi
