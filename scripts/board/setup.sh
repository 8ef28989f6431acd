#!/usr/bin/env bash
# Make an arm64 Debian that qemu-system boots, without running any of its programs on this machine: debootstrap unpacks
# it here, and it installs itself when it boots for the first time.
# Usage: setup.sh PLACE SUITE KERNEL      (as root: debootstrap needs it), for example setup.sh ~/board trixie arm64
#   SUITE   a Debian release by its name; KERNEL what follows linux-image- in the name of its kernel: arm64, arm64-16k
# Prints the machine's folder, PLACE/machines/SUITE-RECIPE, which holds
#   root.img    its disk; copied before it is booted, never changed
#   status      what dpkg says is installed on it
#   KERNEL/     vmlinuz and initrd, and modules of virtual cameras
# RECIPE stands for the scripts that made it: another recipe makes another machine, and the old one goes.
# Takes some minutes and about 1 GB the first time; does nothing where all is there.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "$0")" && pwd)
place=$(mkdir -p "$1" && cd "$1" && pwd)
suite=$2 kernel=$3
disk_size=3G

say() { printf '%s\n' "$*" >&2; }

# Two at a time would make the same twice.
mkdir -p "$place/machines" "$place/logs"
exec 9>"$place/lock"
flock 9

recipe=$(cat "$here"/{setup,make-kernel,first-boot,board-unit}.sh | sha256sum | cut -c 1-12)
machine=$place/machines/$suite-$recipe
find "$place/machines" -mindepth 1 -maxdepth 1 -name "$suite-*" ! -name "$suite-$recipe" -exec rm -rf {} +

if [ -e "$machine/root.img" ] && [ -e "$machine/$kernel/initrd" ]; then
  echo "$machine"
  exit
fi
mkdir -p "$machine"
work=$(mktemp -d "$machine/partial.XXXXXX")
trap 'rm -rf "$work"' EXIT
"$here/../apt-root.sh" "$place/apt/$suite" "$suite" arm64
export APT_CONFIG=$place/apt/$suite/apt.conf

# Each part is made under another name and renamed when complete, so that an interrupted run starts it anew.
if [ ! -e "$machine/$kernel/initrd" ]; then
  say "Fetching Debian's kernel $kernel of $suite"
  package=$(apt-cache depends "linux-image-$kernel" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  [ -n "$package" ] || { say "setup: $suite has no package linux-image-$kernel"; exit 69; }
  (cd "$work" && apt-get download -qq -oAPT::Sandbox::User=root "$package" busybox-static) >&2
  "$here/make-kernel.sh" "$work"/linux-image-*.deb "$work"/busybox-static*.deb "$work/kernel"
  mv -T "$work/kernel" "$machine/$kernel"
fi

if [ ! -e "$machine/root.img" ]; then
  begin=$SECONDS
  say "Making an arm64 Debian $suite (log: $place/logs/setup-$suite.log)"
  root=$work/root
  debootstrap --foreign --arch=arm64 --variant=minbase --include=systemd-sysv,udev,dbus,kmod,curl \
    "$suite" "$root" "$("$here/../debian-mirror.sh")" >"$place/logs/setup-$suite.log" 2>&1 ||
    { tail -n 20 "$place/logs/setup-$suite.log" >&2; say "setup: debootstrap failed; the log above says why"; exit 1; }
  "$here/board-unit.sh" "$root"
  install -m 755 "$here/first-boot.sh" "$root/sbin/first-boot"
  truncate -s "$disk_size" "$work/root.img"
  # Without what e2fsprogs of Debian 12 does not know, so that every release's can check it.
  mke2fs -q -t ext4 -O ^metadata_csum_seed,^orphan_file -E root_owner=0:0 -d "$root" "$work/root.img"
  say "It installs itself (minutes; log: $place/logs/first-boot-$suite.log)"
  "$here/machine.py" --vmlinuz "$machine/$kernel/vmlinuz" --initrd "$machine/$kernel/initrd" --disk "$work/root.img" \
    --cache unsafe --append "init=/sbin/first-boot" --until "first-boot: installed" --limit 1800 \
    --log "$place/logs/first-boot-$suite.log"
  # Programs that were replaced while they ran still have their blocks; e2fsck gives them back (status 1).
  e2fsck -f -p "$work/root.img" >>"$place/logs/first-boot-$suite.log" || [ $? -eq 1 ]
  debugfs -R "dump /var/lib/dpkg/status $work/status" "$work/root.img" 2>/dev/null
  [ -s "$work/status" ]
  mv "$work/status" "$machine/status"
  mv "$work/root.img" "$machine/root.img"
  say "Made in $((SECONDS - begin)) s"
fi
echo "$machine"
