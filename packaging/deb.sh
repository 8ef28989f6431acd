#!/usr/bin/env bash
# Make a Debian package for each architecture, which Debian 12 and 13 and what is built on them install. The same commit gives
# the same bytes, wherever the clone lies.
# Usage: deb.sh [ARCHITECTURE...]      amd64, arm64, or both without; as root (see place.sh)
#   VERSION   another version than packaging/debian/changelog has, to test upgrading
# Takes some minutes the first time. The packages are .build-packages/vl2_VERSION_ARCHITECTURE.deb.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- amd64 arm64

# What sudo built belongs to whoever the checkout belongs to.
trap 'chown -R --reference=Package.swift .build-packages .build-*-static .build-amd64-manual 2>/dev/null || true' EXIT
SOURCE_DATE_EPOCH=$(git -c safe.directory='*' log -1 --format=%ct)
export SOURCE_DATE_EPOCH
version=${VERSION:-$(sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)}
place=$(packaging/place.sh)
packaging/programs.sh "$place" "$@"
for arch in "$@"; do
  package=.build-packages/vl2_${version}_$arch.deb
  scripts/arm64/in-host.sh "$place" packaging/pack-deb.sh "$arch" "$version" "$package" >&2
  printf '%s: %d bytes, sha256 %s\n' "$package" "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -c1-64)"
done
