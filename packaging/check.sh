#!/usr/bin/env bash
# Check both packages without a machine to install them on: what the programs want of a system, whether Debian 12 and 13 can
# satisfy it, pocket's answers with the libraries of both, lintian, and what systemd says of the unit.
# Usage: check.sh      as root; builds the packages first (deb.sh). A line for each check, and their number at the end.
# Downloads are kept in .build-packages/apt and used again.
set -euo pipefail
cd "$(dirname "$0")/.."

most_bytes=25000000                         # of a program; Foundation with its ICU data would be 59 MB
needed="ld-linux libc.so.6 libcrypto.so.3 libgcc_s.so.1 libm.so.6 libmicrohttpd.so.12 libspng.so.0 libstdc++.so.6"
needed+=" libturbojpeg.so.0 libyaml-0.so.2 libzstd.so.1"   # of both programs together
suites=(bookworm trixie)

scripts/install-dependencies.sh packages
packaging/deb.sh
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)

made=.build-packages
work=$(mktemp -d)
trap 'rm -rf "$work"; chown -R --reference=Package.swift "$made" 2>/dev/null || true' EXIT
# shellcheck source=/dev/null
. packaging/checks.sh

is_small() {                                # is_small FILE BYTES
  local size
  size=$(stat -c %s "$1")
  echo "$1 has $size bytes, $2 are allowed"
  [ "$size" -le "$2" ]
}
needs_exactly() {                           # needs_exactly LIBRARIES FILE...
  local libraries=$1
  shift
  diff <(tr ' ' '\n' <<<"$libraries" | sort) \
    <(readelf --dynamic --wide "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sed 's/^ld-linux.*/ld-linux/' | sort -u)
}
has_files() {                               # has_files TREE PATH...
  local tree=$1 path missing=0
  shift
  for path in "$@"; do [ -s "$tree$path" ] || { echo "missing or empty: $path"; missing=1; }; done
  return $missing
}
is_version() {                              # is_version VERSION PROGRAM...
  local wanted=$1
  shift
  [ "$("$@" --version)" = "$wanted" ]
}
resolves() {                                # resolves SUITE ARCHITECTURE PACKAGE; keeps the list of what would be installed
  APT_CONFIG=$made/apt/$1-$2/apt.conf apt-get install -s "$3" >"$work/$1-$2.install" || { cat "$work/$1-$2.install"; return 1; }
  grep -E '^Inst libmicrohttpd12(t64)? ' "$work/$1-$2.install"
}
# Unpacks what the package would bring in a release, unless that lies there from the last time.
unpack_libraries() {                        # unpack_libraries SUITE ARCHITECTURE PACKAGE
  local apt=$made/apt/$1-$2 root=$made/apt/$1-$2/root link
  grep '^Inst ' "$work/$1-$2.install" | grep -v '^Inst vl2 ' | sort >"$work/wanted"
  ! cmp -s "$work/wanted" "$root.list" || return 0
  rm -rf "$root" "$root.list" "$apt"/cache/archives/*.deb
  mkdir -p "$root"
  APT_CONFIG=$apt/apt.conf apt-get install -y -qq --download-only "$3"
  for package in "$apt"/cache/archives/*.deb; do [[ $package == */vl2_* ]] || dpkg -x "$package" "$root"; done
  for link in bin sbin lib lib64; do [ -e "$root/$link" ] || ln -s "usr/$link" "$root/$link"; done
  cp "$work/wanted" "$root.list"
}
# What vl2-convert packs with other libraries is pocket as it is in the package, but for how zstd compressed it.
packs() {                                   # packs POCKET.vl2q VL2_CONVERT...
  local pocket=$1
  shift
  "$@" pack models/pocket/checkpoint -o "$work/packed.vl2q"
  "$@" inspect --json "$work/packed.vl2q" >"$work/packed.json"
  "$@" inspect --json "$pocket" >"$work/pocket.json"
  scripts/arm64/compare-packed.py "$work/pocket.json" "$work/packed.json"
}
for arch in arm64 amd64; do
  package=$made/vl2_${version}_$arch.deb tree=$work/$arch
  dpkg -x "$package" "$tree"
  programs=("$tree/usr/bin/vl2" "$tree/usr/bin/vl2-convert")
  for program in "${programs[@]}"; do
    check "$arch: $(basename "$program") is below $most_bytes bytes" is_small "$program" "$most_bytes"
  done
  check "$arch: no symbol above GLIBC_2.35 and GLIBCXX_3.4.30" runs_on_old_systems "${programs[@]}"
  check "$arch: needs the libraries that Depends names, and no others" needs_exactly "$needed" "${programs[@]}"
  check "$arch: manual, completions, units, user, settings, pocket, documents, examples and licences are there" has_files "$tree" \
    /usr/share/man/man1/{vl2,vl2.ask,vl2.serve,vl2-convert,vl2-convert.pack}.1.gz \
    /usr/share/bash-completion/completions/vl2{,-convert} /usr/share/zsh/vendor-completions/_vl2{,-convert} \
    /usr/share/fish/vendor_completions.d/vl2{,-convert}.fish /usr/lib/systemd/system/vl2{,-kiosk}.service \
    /usr/lib/sysusers.d/vl2.conf /etc/vl2/serve.env /usr/share/vl2/pocket/{pocket.vl2q,demo.png} \
    /usr/share/doc/vl2/{copyright,swift-copyright.gz,changelog.gz,INSTALLING.md,SERVING.md,INTEGRATIONS.md,WATCHING.md,KIOSK.md} \
    /usr/share/doc/vl2/examples/{nginx/{board,boards}.conf,monitoring/{prometheus.yml,grafana.json}} \
    /usr/share/doc/vl2/examples/kiosk/{kiosk.yaml,screen.sh,vl2-screen.service} \
    /usr/share/doc/vl2/examples/spoken/{spoken.yaml,ask-and-hear.sh,vl2-spoken.service} \
    /usr/share/doc/vl2/examples/home-assistant/{gate.yaml,gate.json,watch.sh}
  check "$arch: lintian finds no error and nothing to warn of" lintian --no-cfg --allow-root --fail-on error,warning "$package"
  for suite in "${suites[@]}"; do
    scripts/apt-root.sh "$made/apt/$suite-$arch" "$suite" "$arch"
    check "$arch: apt installs it on $suite" resolves "$suite" "$arch" "./$package"
    check "$arch: $suite's libraries unpack" unpack_libraries "$suite" "$arch" "./$package"
    root=$made/apt/$suite-$arch/root
    if [ "$arch" = arm64 ]; then
      run=(qemu-aarch64-static -cpu cortex-a72 -L "$root")
    else
      run=("$root/lib64/ld-linux-x86-64.so.2" --library-path
        "$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu")
    fi
    check "$arch: with $suite's libraries pocket answers" answers "$tree/usr/share/vl2/pocket" "${run[@]}" "$tree/usr/bin/vl2"
    check "$arch: with $suite's libraries both say $version" eval \
      "is_version $version ${run[*]} $tree/usr/bin/vl2 && is_version $version ${run[*]} $tree/usr/bin/vl2-convert"
    if [ "$arch" = amd64 ]; then
      check "$arch: with $suite's libraries vl2-convert packs the same pocket" \
        packs "$tree/usr/share/vl2/pocket/pocket.vl2q" "${run[@]}" "$tree/usr/bin/vl2-convert"
    fi
  done
done

# systemd looks for what a unit names below the folder that it is told is the root.
mkdir -p "$work/amd64/usr/lib/systemd/system"
cp -rn /usr/lib/systemd/system/. "$work/amd64/usr/lib/systemd/system/"
for unit in vl2 vl2-kiosk; do
  check "systemd finds nothing wrong in $unit.service" \
    says_nothing systemd-analyze verify --man=no --root="$work/amd64" "$unit.service"
  check "the exposure of $unit.service is 1.5 or better" systemd-analyze security --no-pager --offline=true --threshold=15 \
    "packaging/systemd/$unit.service"
done
# The examples' units, whose programs belong to other packages.
for program in bin/cage bin/sh; do
  [ -e "$work/amd64/usr/$program" ] || install -D -m 755 /bin/true "$work/amd64/usr/$program"
done
[ -e "$work/amd64/bin" ] || ln -s usr/bin "$work/amd64/bin"
for unit in Examples/kiosk/vl2-screen.service Examples/spoken/vl2-spoken.service; do
  cp "$unit" "$work/amd64/usr/lib/systemd/system/"
  check "systemd finds nothing wrong in $unit" \
    says_nothing systemd-analyze verify --man=no --root="$work/amd64" "$(basename "$unit")"
done

finish_checks
