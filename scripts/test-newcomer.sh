#!/usr/bin/env bash
# Show that somebody who has just installed Debian 13, and who may use sudo, gets from a clone of the last commit to
# answers by what README says: a bare system in a folder, with git, make and sudo in it, in which that person types
# `make demo` and `make test` and says yes when asked whether to install packages. Says how long each took, and how much
# memory beside the page cache (of the machine's control groups, where they can be used).
# Usage: test-newcomer.sh [TARGET...]      as root; targets of the Makefile, else demo test
#   VL2_NEWCOMER      where the bare system is made (about 4 GB); else ~/.cache/vl2/newcomer
#   VL2_LIMIT=900M    the most memory that the targets may take together
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || fail "This needs root: debootstrap makes a Debian, and chroot enters it. Run: sudo make test-newcomer"
if [ -z "${VL2_MOUNT_NAMESPACE:-}" ]; then
  VL2_MOUNT_NAMESPACE=own exec unshare --mount --propagation private "$0" "$@"
fi
targets=("$@")
[ $# -gt 0 ] || targets=(demo test)
place=$(realpath -m "${VL2_NEWCOMER:-${XDG_CACHE_HOME:-$HOME/.cache}/vl2/newcomer}")
root=$place/root
mkdir -p "$place"
exec 9>"$place/lock"
flock 9

command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
say "A bare Debian 13 in $root"
rm -rf --one-file-system "$root"
debootstrap --variant=minbase --include=ca-certificates,git,make,sudo trixie "$root" "$(scripts/debian-mirror.sh)" \
  >"$place/debootstrap.log" 2>&1 || { tail -n 20 "$place/debootstrap.log" >&2; fail "debootstrap failed"; }
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"         # a proxy, where there is one
[ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" useradd --create-home --shell /bin/bash --groups sudo newcomer
echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/newcomer"    # as on Raspberry Pi OS
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind /dev/pts "$root/dev/pts"
# Where git is told to fetch packages from a local folder (a mirror), that rule and folder come along.
while read -r key url; do
  folder=${key#url.} folder=${folder%.insteadof} folder=${folder#file://}
  [ -d "$folder" ] || continue
  git config --file "$root/etc/gitconfig" --add "${key%.insteadof}.insteadOf" "$url"
  git config --file "$root/etc/gitconfig" --replace-all safe.directory '*'
  mkdir -p "$root${folder%/}"
  mount --bind "${folder%/}" "$root${folder%/}"
done < <(git config --get-regexp '^url\..*\.insteadof$' || true)
git bundle create --quiet "$root/home/newcomer/vl2.bundle" HEAD

# A control group for what the newcomer does, of version 2 or 1.
group='' limit_file=memory.max
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/vl2-newcomer anonymous=anon
elif [ -d /sys/fs/cgroup/memory ]; then
  group=/sys/fs/cgroup/memory/vl2-newcomer limit_file=memory.limit_in_bytes anonymous=total_rss
fi
if [ -n "$group" ] && mkdir -p "$group" 2>/dev/null && [ -e "$group/memory.stat" ]; then
  trap 'kill "${watcher:-}" 2>/dev/null; echo $$ >"$(dirname "$group")/cgroup.procs"; rmdir "$group"' EXIT
  [ -z "${VL2_LIMIT:-}" ] || echo "$VL2_LIMIT" >"$group/$limit_file"
else
  group=
  [ -z "${VL2_LIMIT:-}" ] || fail "VL2_LIMIT: this machine has no control group that limits memory"
fi

# Writes the most bytes that were in use at a time to a file, until it is killed.
watch_memory() {                            # watch_memory FILE
  local most=0 now
  while sleep 0.5; do
    now=$(sed -n "s/^$anonymous //p" "$group/memory.stat")
    [ "$now" -le "$most" ] || { most=$now; echo "$most" >"$1"; }
  done
}

# shellcheck disable=SC2016 # the inner shell expands
as_newcomer() {                             # as_newcomer COMMAND, at a terminal, where yes is typed
  [ -z "$group" ] || echo "$BASHPID" >"$group/cgroup.procs"
  yes y 2>/dev/null | head -n 100 | chroot --userspec=newcomer:newcomer --groups=newcomer,sudo "$root" /usr/bin/env -i \
    HOME=/home/newcomer USER=newcomer LANG=C.UTF-8 TERM=dumb PATH=/usr/local/bin:/usr/bin:/bin \
    /bin/sh -c 'cd && exec script --quiet --return --command "$1" /dev/null' sh "$1"
}

(as_newcomer "git clone --quiet vl2.bundle vl2")
for target in "${targets[@]}"; do
  say "make $target"
  begin=$SECONDS
  : >"$place/memory"
  [ -z "$group" ] || { watch_memory "$place/memory" & watcher=$!; }
  status=0
  (as_newcomer "cd vl2 && make $target") >"$place/$target.log" 2>&1 || status=$?
  [ -z "$group" ] || { kill "$watcher"; wait "$watcher" 2>/dev/null || true; }
  tail -n "$([ "$status" -eq 0 ] && echo 12 || echo 60)" "$place/$target.log"
  most=$(cat "$place/memory")
  say "make $target: status $status, $((SECONDS - begin)) s, ${most:+$((most >> 20)) MiB of memory at most,}" \
    "$(du -sm "$root/home/newcomer/vl2/.build" | cut -f 1) MB in .build, log: $place/$target.log"
  [ "$status" -eq 0 ] || exit "$status"
done
say "the system now takes $(du -sm --one-file-system "$root" | cut -f 1) MB"
