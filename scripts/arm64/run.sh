#!/usr/bin/env bash
# Run an arm64 program under qemu-user on the processor named: cortex-a72 (Raspberry Pi 4: no dot product),
# cortex-a76 (Raspberry Pi 5, RK3588: dot product), max (i8mm, bf16, SVE2).
# Usage: run.sh PLACE CPU PROGRAM [arguments...]
set -euo pipefail
place=$(cd "$1" && pwd) cpu=$2
shift 2
exec qemu-aarch64-static -cpu "$cpu" -L "$place/target" \
  -E LD_LIBRARY_PATH=/usr/libexec/swift/lib/swift/linux "$@"
