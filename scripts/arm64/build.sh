#!/usr/bin/env bash
# Cross-build this package for arm64 Linux, optimised, inside the place that setup.sh made.
# Usage: build.sh PLACE [swift build arguments...]      (as root: it mounts and uses chroot)
# Products land in .build-arm64/aarch64-unknown-linux-gnu/release/
set -euo pipefail

# In a mount namespace of its own: whatever ends this script, nothing stays mounted.
if [ -z "${VL2_MOUNT_NAMESPACE:-}" ]; then
  VL2_MOUNT_NAMESPACE=own exec unshare --mount --propagation private "$0" "$@"
fi

place=$(cd "$1" && pwd)
package=$(cd "$(dirname "$0")/../.." && pwd)
shift
host=$place/host target=$place/target

mount_at() {                                # mount_at FROM PLACE_INSIDE_HOST
  mkdir -p "$host$2"
  mount --bind "$1" "$host$2"
}
mount_at /proc /proc
mount_at /dev /dev
mount_at "$target" /target
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

cat >"$host/arm64.json" <<'JSON'
{
  "version": 1,
  "sdk": "/target",
  "toolchain-bin-dir": "/usr/libexec/swift/bin",
  "target": "aarch64-unknown-linux-gnu",
  "extra-cc-flags": ["-fPIC"],
  "extra-cpp-flags": [],
  "extra-swiftc-flags": [
    "-resource-dir", "/target/usr/libexec/swift/lib/swift", "-sdk", "/target", "-use-ld=lld",
    "-Xcc", "--sysroot=/target", "-Xclang-linker", "--sysroot=/target", "-Xclang-linker", "-fuse-ld=lld"
  ]
}
JSON
chroot "$host" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 \
  PKG_CONFIG_PATH=/target/usr/lib/aarch64-linux-gnu/pkgconfig \
  /bin/sh -c 'cd /package && exec swift build -c release --scratch-path .build-arm64 \
    --destination /arm64.json "$@"' sh "$@"
