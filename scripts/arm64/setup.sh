#!/usr/bin/env bash
# Make a place on a Debian amd64 machine in which Swift packages are cross-built for arm64 Linux, and packages are made:
#   PLACE/host    Debian 13 (amd64) with its Swift 6.0.3, which compiles for arm64 and for amd64
#   PLACE/target  the files of Debian 13 (arm64) to compile against and to run on under qemu-user
# Usage: setup.sh PLACE      (as root: debootstrap and chroot need it)
# Takes a few minutes and about 5.5 GB; does nothing where the place is complete, and completes one that an earlier
# version of this script made.
set -euo pipefail

place=$(mkdir -p "$1" && cd "$1" && pwd)
scripts=$(cd "$(dirname "$0")/.." && pwd)
suite=trixie
libraries=(libturbojpeg0-dev libspng-dev libzstd-dev libssl-dev libmicrohttpd-dev libyaml-dev libwebp7 libfreetype6)
host_packages=(swiftlang libc6-dev g++ git pkg-config "${libraries[@]}" patchelf xz-utils)
target_packages=(swiftlang libc6-dev g++ "${libraries[@]}")

if ! command -v debootstrap >/dev/null || ! command -v qemu-aarch64-static >/dev/null; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap qemu-user-static
fi

install_in_host() {                         # install_in_host HOST: what host_packages names
  {
    chroot "$1" apt-get update -qq
    chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${host_packages[@]}"
  } >>"$place/host.log" 2>&1
}

# Each half is made under another name and renamed when complete, so that an interrupted run starts it anew.
if [ ! -d "$place/host" ]; then
  host=$place/host.partial
  echo "Making $place/host (log: $place/host.log)"
  rm -rf "$host"
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$host" "$("$scripts/debian-mirror.sh")" \
    >"$place/host.log"
  cp -r /etc/apt/apt.conf.d/. "$host/etc/apt/apt.conf.d/"     # a proxy, where there is one
  install_in_host "$host"
  mv "$host" "$place/host"
elif ! dpkg-query --admindir="$place/host/var/lib/dpkg" --show --showformat='${db:Status-Abbrev}\n' \
  "${host_packages[@]}" >"$place/host.installed" 2>/dev/null || grep -v '^ii' "$place/host.installed" >/dev/null; then
  echo "Completing $place/host (log: $place/host.log)"
  install_in_host "$place/host"
fi
rm -f "$place/host.installed"

# Every package of Debian has a folder for its documentation.
for package in "${target_packages[@]}"; do
  if [ -d "$place/target" ] && [ ! -e "$place/target/usr/share/doc/$package" ]; then
    echo "$place/target has no $package and is made again"
    rm -rf "$place/target"
  fi
done
if [ ! -d "$place/target" ]; then
  target=$place/target.partial
  echo "Making $place/target (log: $place/target.log)"
  rm -rf "$target"
  mkdir -p "$target"
  # apt as on an arm64 machine with nothing installed finds out what is needed, dpkg -x unpacks it. Nothing of
  # the target runs to set it up, so that no emulation is needed here.
  {
    "$scripts/apt-root.sh" "$place/apt" "$suite" arm64
    APT_CONFIG=$place/apt/apt.conf apt-get install -y -qq --download-only "${target_packages[@]}"
    for link in bin sbin lib; do
      mkdir -p "$target/usr/$link"
      ln -sfn "usr/$link" "$target/$link"
    done
    for package in "$place"/apt/cache/archives/*.deb; do dpkg -x "$package" "$target"; done
  } >"$place/target.log" 2>&1
  rm -rf "$place/apt/cache/archives"
  mv "$target" "$place/target"
fi
