#!/usr/bin/env bash
# Pack the amd64 programs that programs.sh made with the libraries they need, so that they run wherever they are unpacked.
# Usage: pack-tarball.sh VERSION LIBRARIES OUT.tar.xz      in PLACE/host, whose patchelf, tar and xz pack the same everywhere
# LIBRARIES has a folder for each of Debian 12's packages that may be needed, unpacked; its name is PACKAGE_VERSION.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1 libraries=$2 out=$3
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=vl2-$version
tree=$work/$name
mkdir -p "$tree/lib" "$tree/licences"
packaging/fill-tree.sh amd64 "$tree"

# What the system has to have: the C library, and the C++ library, since Debian 12's would want a newer C library than the
# programs do.
from_system() {
  case $1 in
    libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | ld-linux-x86-64.so.2) return 0 ;;
    libstdc++.so.6 | libgcc_s.so.1) return 0 ;;
    *) return 1 ;;
  esac
}
needs() { readelf --dynamic --wide "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u; }

# Takes a library, its licence, and what it needs itself.
take() {                                    # take SONAME
  local file package documents needed
  if from_system "$1" || [ -e "$tree/lib/$1" ]; then return 0; fi
  file=$(find "$libraries" -name "$1" | head -n 1)
  [ -n "$file" ] || { printf 'No package in %s has %s\n' "$libraries" "$1" >&2; exit 1; }
  install -m 644 "$(readlink -f "$file")" "$tree/lib/$1"
  patchelf --set-rpath "\$ORIGIN" "$tree/lib/$1"
  package=${file#"$libraries"/} package=${package%%/*}
  documents=${package%%_*}                  # another package may have the documents
  if [ -L "$libraries/$package/usr/share/doc/$documents" ]; then
    documents=$(readlink "$libraries/$package/usr/share/doc/$documents")
  fi
  install -m 644 "$libraries/${documents}_"*"/usr/share/doc/$documents/copyright" "$tree/licences/${package%%_*}"
  printf '%s from %s\n' "$1" "${package/_/ }" >>"$tree/licences/LIBRARIES"
  for needed in $(needs "$tree/lib/$1"); do take "$needed"; done
}
for library in $(needs "$tree/bin/vl2" "$tree/bin/vl2-convert") libwebp.so.7; do take "$library"; done   # WebP: when wanted
for program in vl2 vl2-convert; do patchelf --set-rpath "\$ORIGIN/../lib" "$tree/bin/$program"; done

sort -o "$tree/licences/LIBRARIES" "$tree/licences/LIBRARIES"
sed -i '1i The libraries in lib/ are those of Debian 12, whose sources are at https://sources.debian.org:' \
  "$tree/licences/LIBRARIES"
install -m 644 LICENSE "$tree/LICENSE"
# The texts that Debian's files name.
while read -r text; do
  if [ -e "$text" ]; then install -m 644 "$(readlink -f "$text")" "$tree/licences/$(basename "$text")"; fi
done < <(grep -rhoE '/usr/share/common-licenses/[A-Z][A-Za-z0-9.-]*[0-9A-Z]' "$tree/licences" "$tree/share/doc" | sort -u)

tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --directory="$work" "$name" |
  xz --threads=1 -6 >"$out"
