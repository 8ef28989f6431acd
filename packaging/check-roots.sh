#!/usr/bin/env bash
# Check amd64's package and tarball in bare roots of Debian 12 and 13, where nothing is installed that helps: apt installs the
# package, pocket answers on the command line and over HTTP, an upgrade keeps models and settings, systemd finds nothing wrong,
# a purge leaves nothing behind but the user. systemd does not run there; make test-board has that.
# Usage: check-roots.sh [SUITE...]      bookworm, trixie, or both without; as root. A line for each check, and their number.
# The roots are made once, in .build-packages/roots.
set -euo pipefail
# In a mount namespace of its own: whatever ends this script, nothing stays mounted.
if [ -z "${VL2_MOUNT_NAMESPACE:-}" ]; then
  VL2_MOUNT_NAMESPACE=own exec unshare --mount --propagation private "$0" "$@"
fi
unset VL2_MOUNT_NAMESPACE
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- bookworm trixie

scripts/install-dependencies.sh packages
packaging/deb.sh amd64
packaging/tarball.sh
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' packaging/debian/changelog)
made=.build-packages
# The same tree as an older version, to upgrade from.
SOURCE_DATE_EPOCH=$(git -c safe.directory='*' log -1 --format=%ct) \
  scripts/arm64/in-host.sh "$(packaging/place.sh)" packaging/pack-deb.sh amd64 0.0.9 "$made/vl2_0.0.9_amd64.deb"

work=$(mktemp -d)
leave() {
  umount --recursive "$work"/*/dev "$work"/*/proc 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap leave EXIT
# shellcheck source=/dev/null
. packaging/checks.sh

make_root() {                               # make_root SUITE FOLDER: a copy of a bare Debian
  local bare=$made/roots/$1
  if [ ! -d "$bare" ]; then
    rm -rf "$bare.partial"
    mkdir -p "$made/roots"
    debootstrap --variant=minbase "$1" "$bare.partial" "$(scripts/debian-mirror.sh)" >"$made/roots/$1.log"
    cp -r /etc/apt/apt.conf.d/. "$bare.partial/etc/apt/apt.conf.d/"      # a proxy, where there is one
    mv "$bare.partial" "$bare"
  fi
  cp -a "$bare" "$2"
  [ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$2/etc/resolv.conf"
  mount --bind /proc "$2/proc"
  mount --rbind /dev "$2/dev"
}
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"; }
apt() { in_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends "$@"; }
# Everything there is, and what is in the files of /etc, but for what apt, dpkg, debconf and ldconfig write for themselves, and
# the lists of users.
list_files() {                              # list_files OUT
  (cd "$root" &&
    find . -xdev \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./var/lib/apt -o -path ./var/lib/dpkg \
      -o -path ./run -o -path ./var/log -o -path ./var/cache/apt -o -path ./var/cache/debconf -o -path ./var/cache/ldconfig \
      -o -path ./etc/ld.so.cache -o -path ./etc/.pwd.lock -o -path './etc/passwd*' -o -path './etc/group*' \
      -o -path './etc/shadow*' -o -path './etc/gshadow*' \) -prune \
      -o -printf '%p %y %m %u %g\n' &&
    find etc -type f ! -name ld.so.cache ! -name 'passwd*' ! -name 'group*' ! -name 'shadow*' ! -name 'gshadow*' \
      -exec sha256sum {} +) | LC_ALL=C sort >"$1"
}
# With what came along, also where something else recommends it (glibc libidn2).
purge() { apt purge vl2 && apt autoremove --purge -oAPT::AutoRemove::RecommendsImportant=false; }
leaves_nothing() {                          # leaves_nothing BEFORE: nothing but the lists of users has changed
  list_files "$work/after"
  diff "$1" "$work/after"
}
has_user() { in_root getent passwd vl2 | tee /dev/stderr | grep ':/usr/sbin/nologin$' >/dev/null; }
is_installed() { [ "$(in_root dpkg-query --show --showformat="\${Version}" vl2)" = "$1" ]; }
takes_only_model() {
  install -m 644 "$root/usr/share/vl2/pocket/pocket.vl2q" "$root/var/lib/vl2/"
  [ "$(in_root vl2 ask /usr/share/vl2/pocket/demo.png "What colour is the star?")" = red ]
}
serves() {                                  # the program as the service runs it, asked by curl
  local log=$work/serve.log url="" answer
  chroot --userspec=vl2:vl2 "$root" /usr/bin/env -i PATH=/usr/bin XDG_CACHE_HOME=/var/cache \
    /usr/bin/vl2 serve --demo --port 0 2>"$log" &
  server=$!
  trap 'kill "$server" 2>/dev/null || true' EXIT
  for _ in $(seq 300); do
    url=$(sed -n 's/.* at \(http:.*\)/\1/p' "$log")
    [ -z "$url" ] || break
    sleep 0.1
  done
  printf '{"model": "pocket", "stream": false, "prompt": "What colour is the star?", "images": ["%s"]}' \
    "$(base64 -w0 models/pocket/demo.png)" >"$work/request"
  answer=$(curl --silent --show-error --max-time 60 "$url/api/generate" --data "@$work/request")
  printf '%s\n' "$answer"
  grep -E '"response": ?"red"' <<<"$answer" >/dev/null || { cat "$log"; return 1; }
  kill -TERM "$server"
  wait "$server" || { echo "vl2 serve ended with $?"; return 1; }
  trap - EXIT
}
tarball_answers() {
  local folder=/tmp/tarball/vl2-$version
  mkdir -p "$root/tmp/tarball"
  tar -xf "$made/vl2-$version-linux-amd64.tar.xz" -C "$root/tmp/tarball"
  in_root "$folder/bin/vl2" doctor
  in_root "$folder/bin/vl2-convert" verify "$folder/share/vl2/pocket/pocket.vl2q"
  answers "$folder/share/vl2/pocket" in_root "$folder/bin/vl2"
}
own_libraries() {                           # the tarball's programs take the C and C++ libraries alone from the system
  local program
  for program in vl2 vl2-convert; do
    in_root ldd "/tmp/tarball/vl2-$version/bin/$program"
  done >"$work/ldd"
  cat "$work/ldd"
  ! grep -vE '/tmp/tarball/|linux-vdso|lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s)\.so|ld-linux' "$work/ldd"
}
keeps_models_and_settings() {
  [ -s "$root/var/lib/vl2/mine.vl2q" ] && grep -q '^VL2_SERVE_OPTIONS="--demo"$' "$root/etc/vl2/serve.env"
}
is_enabled() { [ -L "$root/etc/systemd/system/multi-user.target.wants/$1.service" ]; }
enable() { in_root systemctl enable "$1.service" && is_enabled "$1"; }
are_disabled() { ! is_enabled vl2 && ! is_enabled vl2-kiosk; }

mkdir "$work/tarball"
tar -xf "$made/vl2-$version-linux-amd64.tar.xz" --strip-components=1 -C "$work/tarball"
check "the tarball: no symbol above GLIBC_2.35 and GLIBCXX_3.4.30" runs_on_old_systems "$work"/tarball/{bin,lib}/*

for suite in "$@"; do
  root=$work/$suite
  make_root "$suite" "$root"
  cp "$made/vl2_0.0.9_amd64.deb" "$made/vl2_${version}_amd64.deb" "$root/tmp/"
  apt update

  check "$suite: the tarball answers where nothing is installed" tarball_answers
  check "$suite: the tarball's programs take the C and C++ libraries alone from the system" own_libraries

  list_files "$work/bare"
  check "$suite: apt installs the package" apt install "/tmp/vl2_${version}_amd64.deb"
  check "$suite: the service has a user, who cannot log in" has_user
  check "$suite: pocket answers" answers /usr/share/vl2/pocket in_root vl2
  check "$suite: the only model in /var/lib/vl2 is taken where none is named" takes_only_model
  check "$suite: vl2 serve answers curl, and ends with 0" serves
  check "$suite: purges" purge
  check "$suite: nothing is left but the user" leaves_nothing "$work/bare"

  apt install systemd >/dev/null 2>&1
  list_files "$work/bare"
  check "$suite, with systemd: apt installs version 0.0.9" apt install /tmp/vl2_0.0.9_amd64.deb
  check "$suite, with systemd: both services are off until they are enabled" are_disabled
  check "$suite, with systemd: vl2 can be enabled" enable vl2
  check "$suite, with systemd: vl2-kiosk can be enabled" enable vl2-kiosk
  cp models/pocket/demo.png "$root/var/lib/vl2/mine.vl2q"   # stands for a model
  echo 'VL2_SERVE_OPTIONS="--demo"' >>"$root/etc/vl2/serve.env"
  check "$suite, with systemd: apt upgrades it" apt install "/tmp/vl2_${version}_amd64.deb"
  check "$suite, with systemd: it has the newer version" is_installed "$version"
  check "$suite, with systemd: models and settings are as they were" keeps_models_and_settings
  check "$suite, with systemd: vl2 is enabled as before" is_enabled vl2
  check "$suite, with systemd: vl2-kiosk is enabled as before" is_enabled vl2-kiosk
  for unit in vl2 vl2-kiosk; do
    check "$suite, with systemd: systemd finds nothing wrong in $unit.service" \
      says_nothing in_root systemd-analyze verify --man=no "$unit.service"
    check "$suite, with systemd: the exposure of $unit.service is 1.5 or better" \
      in_root systemd-analyze security --no-pager --offline=true --threshold=15 "$unit.service"
  done
  check "$suite, with systemd: apt removes it" apt remove vl2
  check "$suite, with systemd: models and settings stay" keeps_models_and_settings
  check "$suite, with systemd: neither is enabled any more" are_disabled
  check "$suite, with systemd: purges" purge
  check "$suite, with systemd: nothing is left but the user" leaves_nothing "$work/bare"
  umount --recursive "$root/dev" "$root/proc"
done
finish_checks
