#!/usr/bin/env bash
# Compiles the C targets and Tests/SanitizerTests with AddressSanitizer and UndefinedBehaviorSanitizer and runs
# every kernel with operands against guard pages. Exits non-zero on any finding.
# CLANG names another compiler; the default is the one of the Swift toolchain, else `clang`.
set -euo pipefail
cd "$(dirname "$0")/.."

beside_swift() {
  local swiftc
  swiftc=$(command -v swiftc) && swiftc=$(readlink -f "$swiftc") && printf '%s/clang' "$(dirname "$swiftc")"
}
flags=(-std=gnu17 -O1 -g -Wall -Wextra -Werror -fno-omit-frame-pointer
  "-fsanitize=address,undefined" -fno-sanitize-recover=all)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
echo 'int main(void) { return 0; }' >"$out/empty.c"
clang=
for candidate in "${CLANG:-}" "$(beside_swift || true)" clang clang-19; do
  if [ -z "$candidate" ] || ! command -v "$candidate" >/dev/null; then continue; fi
  # gold, the default beside some toolchains, warns about every symbol of the runtime.
  for linker in -fuse-ld=lld -Wall; do
    if "$candidate" "${flags[@]}" "$linker" "$out/empty.c" -o "$out/empty" 2>"$out/why"; then
      clang=$candidate
      flags+=("$linker")
      break 2
    fi
  done
done
if [ -z "$clang" ]; then
  [ ! -s "$out/why" ] || head -n 3 "$out/why" >&2
  echo "test-sanitizers: no clang with sanitizer runtimes; on Debian: apt install clang libclang-rt-dev" >&2
  exit 69
fi

mapfile -t sources < <(find Sources/SIMDKernels Sources/SystemSupport -name '*.c' | sort)
"$clang" "${flags[@]}" -ISources/SIMDKernels/include -ISources/SystemSupport/include \
  "${sources[@]}" Tests/SanitizerTests/kernel_bounds.c -o "$out/kernel_bounds" -lm

export UBSAN_OPTIONS=print_stacktrace=1
names=$(VL2_ISA='' "$out/kernel_bounds" list)
for name in $names nonsense; do VL2_ISA=$name "$out/kernel_bounds" choice; done
VL2_ISA='' "$out/kernel_bounds"
# shellcheck disable=SC2086
echo "test-sanitizers: passed for" $names
