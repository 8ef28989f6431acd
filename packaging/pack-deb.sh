#!/usr/bin/env bash
# Pack what programs.sh made as a .deb. The same commit gives the same bytes: SOURCE_DATE_EPOCH is the time of every file.
# Usage: pack-deb.sh ARCHITECTURE VERSION OUT.deb      in PLACE/host, whose dpkg packs the same everywhere
set -euo pipefail
cd "$(dirname "$0")/.."
arch=$1 version=$2 out=$3
umask 022

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
put() { install -D -m 644 "$1" "$tree$2"; }                 # put FILE PATH

packaging/fill-tree.sh "$arch" "$tree/usr"
sed "1s/(.*)/($version)/" packaging/debian/changelog | gzip -9n >"$tree/usr/share/doc/vl2/changelog.gz"
for unit in vl2 vl2-kiosk; do put "packaging/systemd/$unit.service" "/usr/lib/systemd/system/$unit.service"; done
put packaging/sysusers/vl2.conf /usr/lib/sysusers.d/vl2.conf
put packaging/systemd/serve.env /etc/vl2/serve.env
mkdir -p "$tree/var/lib/vl2"                                # models belong to root: the service only reads them

mkdir "$tree/DEBIAN"
for script in postinst prerm postrm; do install -m 755 "packaging/debian/$script" "$tree/DEBIAN/$script"; done
echo /etc/vl2/serve.env >"$tree/DEBIAN/conffiles"
(cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
# Whole KiB of each file, and one for whatever else there is, as no file system changes it. Source: deb-substvars(5).
size=$(find "$tree" -path "$tree/DEBIAN" -prune -o -type f -printf '%s\n' -o -printf '1\n' |
  awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$arch/; s/@INSTALLED_SIZE@/$size/" packaging/debian/control \
  >"$tree/DEBIAN/control"
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$tree" "$out"
