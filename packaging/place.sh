#!/usr/bin/env bash
# Make sure of the place in which packages are built (scripts/arm64/setup.sh), and print where it is.
# Usage: place.sh      as root
#   VL2_ARM64   where it is or is made (about 5.5 GB); else ~/.cache/vl2/arm64, as for make test-arm64
set -euo pipefail

if [ "$(id -u)" -ne 0 ]; then
  printf '%s\n' "Packages are built as root: debootstrap makes a Debian to build in, and chroot enters it." \
    "Run it again under sudo, for example: sudo make deb" >&2
  exit 1
fi
if [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ]; then
  echo "Packages are built on Debian amd64, for both architectures. On a board: make build" >&2
  exit 1
fi
place=$(realpath -m "${VL2_ARM64:-${XDG_CACHE_HOME:-$HOME/.cache}/vl2/arm64}")
"$(dirname "$0")/../scripts/arm64/setup.sh" "$place" >&2
printf '%s\n' "$place"
