#!/usr/bin/env bash
# Cross-build this package for arm64 Linux, optimised, inside the place that setup.sh made.
# Usage: build.sh PLACE [swift build arguments...]      (as root: it mounts and uses chroot)
# Products land in .build-arm64/aarch64-unknown-linux-gnu/release/, with --static-swift-stdlib in .build-arm64-static/...
set -euo pipefail

place=$(cd "$1" && pwd)
shift
# Swift has the files for linking its runtime in apart from those for linking with it.
resources=swift scratch=.build-arm64
for argument in "$@"; do
  [ "$argument" != --static-swift-stdlib ] || { resources=swift_static scratch=.build-arm64-static; }
done

cat >"$place/host/arm64-$resources.json" <<JSON
{
  "version": 1,
  "sdk": "/target",
  "toolchain-bin-dir": "/usr/libexec/swift/bin",
  "target": "aarch64-unknown-linux-gnu",
  "extra-cc-flags": ["-fPIC"],
  "extra-cpp-flags": [],
  "extra-swiftc-flags": [
    "-resource-dir", "/target/usr/libexec/swift/lib/$resources", "-sdk", "/target", "-use-ld=lld",
    "-Xcc", "--sysroot=/target", "-Xclang-linker", "--sysroot=/target", "-Xclang-linker", "-fuse-ld=lld"
  ]
}
JSON
exec "$(dirname "$0")/in-host.sh" "$place" env PKG_CONFIG_PATH=/target/usr/lib/aarch64-linux-gnu/pkgconfig \
  swift build -c release --scratch-path "$scratch" --destination "/arm64-$resources.json" "$@"
