#!/usr/bin/env bash
# Make an apt of its own, as on a machine of another release or architecture with nothing installed: it finds out what a
# package needs there and downloads it, and this machine's apt and dpkg do not notice.
# Usage: apt-root.sh FOLDER SUITE ARCHITECTURE; then: APT_CONFIG=FOLDER/apt.conf apt-get install --download-only ...
# Downloaded packages lie in FOLDER/cache/archives. Lists older than a day are fetched again.
set -euo pipefail

mkdir -p "$1"
root=$(cd "$1" && pwd) suite=$2 architecture=$3
mirror=$("$(dirname "$0")/debian-mirror.sh")
mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
: >"$root/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$root/sources.list"
cat >"$root/apt.conf" <<CONF
Dir::Etc::sourcelist "$root/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::Lists "$root/lists";
Dir::State::extended_states "$root/extended_states";
Dir::State::status "$root/status";
Dir::Cache "$root/cache";
APT::Architecture "$architecture";
APT::Architectures "$architecture";
APT::Install-Recommends "false";
Debug::NoLocking "1";
CONF
if [ -z "$(find "$root/updated" -mmin -1440 2>/dev/null)" ]; then
  APT_CONFIG=$root/apt.conf apt-get update -qq
  touch "$root/updated"
fi
