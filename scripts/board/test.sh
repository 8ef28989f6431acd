#!/usr/bin/env bash
# Install the arm64 package in an emulated board and try there all that a user of it meets: the programs, the service under
# limits, hangs, kills, reboot, power cut, upgrade, removal (Tests/BoardTests).
# Usage: test.sh [VARIANT... | all]      as root; without one: a76. scripts/board/test.py says what they are
#   VL2_BOARD   where machines are made and kept (0.6 GB for each Debian release); else ~/.cache/vl2/board
#   VL2_DEB     an arm64 package to test, in place of the one that 'make deb' makes of this clone
#   VL2_BUILD   the folder of this machine's own vl2 and vl2-convert; else they are built
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "$(id -u)" -ne 0 ]; then
  printf '%s\n' "The board's tests need root: debootstrap makes an arm64 Debian. Run: sudo make test-board" >&2
  exit 1
fi
export PYTHONDONTWRITEBYTECODE=1            # root's files would stay in the checkout
scripts/install-dependencies.sh board
# Found out before anything is built.
mapfile -t known < <(scripts/board/test.py --list)
for variant in "$@"; do
  [[ " ${known[*]} " == *" $variant "* ]] ||
    { echo "There is no board '$variant'; there are: ${known[*]}" >&2; exit 64; }
done

place=$(realpath -m "${VL2_BOARD:-${XDG_CACHE_HOME:-$HOME/.cache}/vl2/board}")
# What sudo built belongs to whoever the checkout belongs to.
trap 'chown -R --reference=Package.swift .build 2>/dev/null || true' EXIT

deb=${VL2_DEB:-}
if [ -z "$deb" ]; then
  deb=$(packaging/deb.sh arm64 | sed -n 's/^\(.*_arm64\.deb\): .*/\1/p')
fi
[ -f "$deb" ] || { echo "There is no package '$deb'; VL2_DEB names one, 'make deb' makes one" >&2; exit 66; }
build=${VL2_BUILD:-}
if [ -z "$build" ]; then
  for product in vl2-convert vl2; do swift build -c release --product "$product"; done
  build=$(swift build -c release --show-bin-path)
fi
scripts/board/test.py --deb "$deb" --place "$place" --build "$build" "$@"
