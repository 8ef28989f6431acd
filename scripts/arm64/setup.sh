#!/usr/bin/env bash
# Make a place on a Debian amd64 machine in which Swift packages are cross-built for arm64 Linux:
#   PLACE/host    Debian 13 (amd64) with its Swift 6.0.3, which compiles
#   PLACE/target  the files of Debian 13 (arm64) to compile against and to run on under qemu-user
# Usage: setup.sh PLACE      (as root: debootstrap and chroot need it)
# Takes a few minutes and about 5.5 GB; does nothing where the place is complete.
set -euo pipefail

place=$(mkdir -p "$1" && cd "$1" && pwd)
suite=trixie
libraries=(libturbojpeg0-dev libspng-dev libzstd-dev libssl-dev libmicrohttpd-dev libwebp7)

if ! command -v debootstrap >/dev/null || ! command -v qemu-aarch64-static >/dev/null; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap qemu-user-static
fi
mirror=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
  sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' | head -n 1 || true)
mirror=${mirror:-http://deb.debian.org/debian}

# Each half is made under another name and renamed when complete, so that an interrupted run starts it anew.
if [ ! -d "$place/host" ]; then
  host=$place/host.partial
  echo "Making $place/host (log: $place/host.log)"
  rm -rf "$host"
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$host" "$mirror" >"$place/host.log"
  cp -r /etc/apt/apt.conf.d/. "$host/etc/apt/apt.conf.d/"     # a proxy, where there is one
  {
    chroot "$host" apt-get update -qq
    chroot "$host" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      swiftlang libc6-dev g++ git pkg-config
  } >>"$place/host.log" 2>&1
  mv "$host" "$place/host"
fi

if [ ! -d "$place/target" ]; then
  target=$place/target.partial
  echo "Making $place/target (log: $place/target.log)"
  rm -rf "$target"
  mkdir -p "$place/apt/lists/partial" "$place/apt/cache/archives/partial" "$target"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
    >"$place/apt/sources.list"
  : >"$place/apt/status"
  # apt as on an arm64 machine with nothing installed finds out what is needed, dpkg -x unpacks it. Nothing of
  # the target runs to set it up, so that no emulation is needed here.
  apt=(apt-get "-oDir::Etc::sourcelist=$place/apt/sources.list" -oDir::Etc::sourceparts=/dev/null
    "-oDir::State::Lists=$place/apt/lists" "-oDir::Cache=$place/apt/cache"
    "-oDir::State::status=$place/apt/status"
    -oAPT::Architecture=arm64 -oAPT::Architectures=arm64 -oDebug::NoLocking=1)
  {
    "${apt[@]}" update -qq
    "${apt[@]}" install -y -qq --download-only --no-install-recommends \
      swiftlang libc6-dev g++ "${libraries[@]}"
    for link in bin sbin lib; do
      mkdir -p "$target/usr/$link"
      ln -sfn "usr/$link" "$target/$link"
    done
    for package in "$place"/apt/cache/archives/*.deb; do dpkg -x "$package" "$target"; done
  } >"$place/target.log" 2>&1
  rm -rf "$place/apt/cache/archives"
  mv "$target" "$place/target"
fi
