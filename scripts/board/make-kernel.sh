#!/usr/bin/env bash
# Debian's own arm64 kernel and a small initrd for it: busybox, the modules that reach the root disk, nothing else. The
# initrd that Debian makes takes a minute to get past in an emulated machine; this one takes seconds.
# Usage: make-kernel.sh KERNEL.deb BUSYBOX.deb FOLDER      makes FOLDER/vmlinuz and FOLDER/initrd, and of the modules of
#   virtual cameras FOLDER/cameras/usb and FOLDER/cameras/vivid, which the steps load
set -euo pipefail

kernel_package=$1 busybox_package=$2
folder=$(mkdir -p "$3" && cd "$3" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

dpkg-deb -x "$kernel_package" "$work/kernel"
dpkg-deb -x "$busybox_package" "$work/busybox"
cp "$work"/kernel/boot/vmlinuz-* "$folder/vmlinuz"

# Debian 12 has modules in /lib, Debian 13 in /usr/lib; depmod looks in lib below the folder that it is given.
base=$work/kernel/usr
[ -d "$base/lib/modules" ] || base=$work/kernel
modules=$(echo "$base"/lib/modules/*)
PATH=$PATH:/sbin:/usr/sbin depmod -b "$base" "$(basename "$modules")"

# Paths of modules in the order in which they can be loaded: before each what it depends on.
ordered=()
order() {                                   # order NAME: does nothing where the kernel has it built in
  local line dependency
  line=$(grep -E "/$1\.ko(\.xz)?:" "$modules/modules.dep") || return 0
  for dependency in $(tr ' ' '\n' <<<"${line#*:}" | tac) "${line%%:*}"; do
    [[ " ${ordered[*]} " == *" $dependency "* ]] || ordered+=("$dependency")
  done
}

pack() {                                    # pack FOLDER NAME...: these modules, named so that their order can be seen
  local number=100 path file target=$1
  shift
  ordered=()
  for name in "$@"; do order "$name"; done
  mkdir -p "$target"
  for path in "${ordered[@]}"; do
    file=$(basename "$path")
    case $file in
      *.xz) xz -dc "$modules/$path" >"$target/$number-${file%.xz}" ;;
      *) cp "$modules/$path" "$target/$number-$file" ;;
    esac
    number=$((number + 1))
  done
}

initrd=$work/initrd
mkdir -p "$initrd"/{bin,modules,proc,sys,dev,root}
cp "$work"/busybox/usr/bin/busybox "$initrd/bin/busybox" 2>/dev/null ||
  cp "$work"/busybox/bin/busybox "$initrd/bin/busybox"
pack "$initrd/modules" virtio_pci virtio_blk ext4 crc32c_generic
pack "$folder/cameras/usb" vhci-hcd uvcvideo
pack "$folder/cameras/vivid" vivid
for name in usb/*-vhci-hcd usb/*-uvcvideo vivid/*-vivid; do
  compgen -G "$folder/cameras/$name.ko" >/dev/null || { echo "make-kernel: this kernel has no module $name" >&2; exit 69; }
done
cat >"$initrd/init" <<'INIT'
#!/bin/busybox sh
# Loads the modules, mounts the root disk, and hands over to what init= names, else to the system's own init.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do $b insmod "$module" || echo "initrd: insmod $module failed"; done
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 100 ]; do $b sleep 0.1; tries=$((tries + 1)); done
init=/sbin/init
for word in $($b cat /proc/cmdline); do
  case $word in init=*) init=${word#init=} ;; esac
done
$b mount -t ext4 /dev/vda /root || { echo "initrd: the root disk cannot be mounted"; $b poweroff -f; }
$b umount /proc /sys
$b mount --move /dev /root/dev
exec $b switch_root /root "$init"
INIT
chmod 755 "$initrd/init"
(cd "$initrd" && find . -print0 | sort -z | cpio --null --create --format=newc --owner=0:0 --quiet) |
  gzip -n >"$folder/initrd"
