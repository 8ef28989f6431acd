#!/usr/bin/env bash
# Make a tarball for x86-64 Linux that needs nothing of a system but its C and C++ libraries (glibc 2.35, GCC 12 or newer):
# both programs, and what else they need as Debian 12 has it.
# Usage: tarball.sh      as root (see place.sh)
# It is .build-packages/vl2-VERSION-linux-amd64.tar.xz. The same commit and the same libraries give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
made=.build-packages
packages=(libturbojpeg0 libspng0 libssl3 libzstd1 libmicrohttpd12 libyaml-0-2 libwebp7)

trap 'chown -R --reference=Package.swift .build-packages .build-*-static .build-amd64-manual 2>/dev/null || true' EXIT
SOURCE_DATE_EPOCH=$(git -c safe.directory='*' log -1 --format=%ct)
export SOURCE_DATE_EPOCH
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)
place=$(packaging/place.sh)
packaging/programs.sh "$place" amd64

apt=$made/apt/libraries
scripts/apt-root.sh "$apt" bookworm amd64
rm -rf "$apt/unpacked"
rm -f "$apt"/cache/archives/*.deb
APT_CONFIG=$apt/apt.conf apt-get install -y -qq --download-only "${packages[@]}"
for package in "$apt"/cache/archives/*.deb; do
  folder=$apt/unpacked/$(dpkg-deb --show --showformat="\${Package}_\${Version}" "$package")
  mkdir -p "$folder"
  dpkg -x "$package" "$folder"
done

tarball=$made/vl2-$version-linux-amd64.tar.xz
scripts/arm64/in-host.sh "$place" packaging/pack-tarball.sh "$version" "$apt/unpacked" "$tarball"
printf '%s: %d bytes, sha256 %s\n' "$tarball" "$(stat -c %s "$tarball")" "$(sha256sum "$tarball" | cut -c1-64)"
