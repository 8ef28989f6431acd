#!/usr/bin/env bash
# Run a command in the Debian 13 (amd64) of the place that setup.sh made: its Swift 6.0.3, this package at /package (where
# the command begins), the arm64 files at /target. What the command makes does not depend on where the clone lies.
# Usage: in-host.sh PLACE COMMAND [arguments...]      (as root: it mounts and uses chroot)
# SOURCE_DATE_EPOCH comes along, no other variable does.
set -euo pipefail

# In a mount namespace of its own: whatever ends this script, nothing stays mounted.
if [ -z "${VL2_MOUNT_NAMESPACE:-}" ]; then
  VL2_MOUNT_NAMESPACE=own exec unshare --mount --propagation private "$0" "$@"
fi

place=$(cd "$1" && pwd)
package=$(cd "$(dirname "$0")/../.." && pwd)
shift
host=$place/host

mount_at() {                                # mount_at FROM PLACE_INSIDE_HOST
  mkdir -p "$host$2"
  mount --bind "$1" "$host$2"
}
mount_at /proc /proc
mount_at /dev /dev
mount_at "$place/target" /target
mount_at "$package" /package
[ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$host/etc/resolv.conf"

# Where git is told to fetch packages from a local folder (a mirror), that rule and folder come along.
# git in there reads no other configuration, and does not mind who owns the package's folder.
printf '[safe]\n\tdirectory = *\n' >"$host/root/.gitconfig"
while read -r key url; do
  folder=${key#url.} folder=${folder%.insteadof} folder=${folder#file://}
  [ -d "$folder" ] || continue
  git config --file "$host/root/.gitconfig" --add "${key%.insteadof}.insteadOf" "$url"
  mount_at "${folder%/}" "${folder%/}"
done < <(git config --get-regexp '^url\..*\.insteadof$' || true)

# At the same addresses each time (-R): the order of some of the Swift compiler's instructions depends on them.
exec setarch -R chroot "$host" /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8 \
  ${SOURCE_DATE_EPOCH:+SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH"} \
  /bin/sh -c 'cd /package && exec "$@"' sh "$@"
