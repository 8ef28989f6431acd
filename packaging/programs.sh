#!/usr/bin/env bash
# Compile both programs for packages: optimised, Swift's runtime linked in, for glibc 2.35 and newer, stripped. With them
# what is the same for each architecture: manual pages, completions and the model pocket, packed.
# Usage: programs.sh PLACE ARCHITECTURE...      amd64 or arm64; as root; PLACE comes from place.sh
#   SOURCE_DATE_EPOCH   the date of the manual pages
# Makes .build-packages/ARCHITECTURE/{vl2,vl2-convert} and .build-packages/share. Compiles what changed since the last time.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$1
shift
out=.build-packages
clang=/usr/libexec/swift/bin/clang

in_host() { scripts/arm64/in-host.sh "$place" "$@"; }
say() { printf '== %s\n' "$*" >&2; }

compile() {                                 # compile ARCHITECTURE
  local arch=$1 build=() target=() product products
  case $arch in
    amd64) build=(in_host swift build -c release --scratch-path .build-amd64-static -Xswiftc -use-ld=lld) ;;
    arm64)
      build=(scripts/arm64/build.sh "$place")
      target=(--target=aarch64-linux-gnu --sysroot=/target)
      ;;
    *) printf 'No packages for %s; there are amd64 and arm64\n' "$arch" >&2; exit 64 ;;
  esac
  say "Compiling for $arch"
  mkdir -p "$out/$arch"
  in_host "$clang" "${target[@]}" -O2 -fPIC -fno-builtin -Wall -Wextra -Werror -c packaging/glibc-floor.c \
    -o "$out/$arch/glibc-floor.o"
  # All addresses are resolved at start and then read-only; no symbols are kept. Nor are hashes of Swift's intermediate code,
  # which are others each time.
  build+=(--static-swift-stdlib -Xswiftc -Xfrontend -Xswiftc -disable-incremental-llvm-codegen
    -Xlinker "/package/$out/$arch/glibc-floor.o"
    -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now -Xlinker -s)
  products=$("${build[@]}" --show-bin-path | tail -n 1)
  products=${products#/package/}
  # They are linked anew, since the linker's file is nothing that swift build looks at.
  rm -f "$products/vl2" "$products/vl2-convert"
  for product in vl2-convert vl2; do "${build[@]}" --product "$product" >&2; done
  install -m 755 "$products/vl2" "$products/vl2-convert" "$out/$arch/"
}

# For both architectures alike, so they come from the programs that run here.
share() {
  say "Manual pages, completions, pocket"
  local parser=.build-amd64-static/checkouts/swift-argument-parser day page name
  rm -rf "$out/share"
  mkdir -p "$out"/share/{man,completions,pocket}
  in_host swift build -c release --package-path "$parser" --scratch-path .build-amd64-manual --product generate-manual >&2
  day=$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)
  # shellcheck disable=SC2016 # the inner shell expands
  in_host bash -euc '
    for program in vl2 vl2-convert; do
      .build-amd64-manual/release/generate-manual "$1/amd64/$program" --multi-page --date "$2" -o "$1/share/man"
      for shell in bash zsh fish; do
        # Without #!, since they are read and not run.
        "$1/amd64/$program" --generate-completion-script "$shell" | sed "1{/^#!/d}" >"$1/share/completions/$program.$shell"
      done
    done
    "$1/amd64/vl2-convert" pack models/pocket/checkpoint -o "$1/share/pocket/pocket.vl2q"' bash "$out" "$day" >&2
  # A page is found under its own name, vl2.ask, and speaks of the command, vl2 ask. mdoc wants no empty lines.
  for page in "$out"/share/man/*.1; do
    name=$(basename "$page" .1)
    sed -i -E "s/^$/.Pp/; s/^\.Nm \"(.*) (.*)\"$/.Nm \1.\2/; s/^\.Nm$/.Nm \"${name/./ }\"/
      s/^\.Ex -std$/.Ex -std \"${name/./ }\"/" "$page"
  done
  install -m 644 models/pocket/demo.png "$out/share/pocket/"
}

exec 9>"$place/lock"
flock 9                                     # one build in a place at a time
compile amd64
for arch in "$@"; do [ "$arch" = amd64 ] || compile "$arch"; done
share
