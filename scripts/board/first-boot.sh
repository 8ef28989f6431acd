#!/bin/bash
# The arm64 Debian's first boot, as the emulated machine's process 1: installs the packages that debootstrap unpacked,
# then switches off. Runs in the machine alone.
# Usage: first-boot.sh
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
# The database of hardware takes half a minute to compile in an emulated machine, and nothing here asks it.
export SYSTEMD_HWDB_UPDATE_BYPASS=1

leave() {                                   # leave WORD: process 1 must not end before the power is off
  echo "first-boot: $1"
  mountpoint -q /proc || mount -t proc proc /proc         # debootstrap unmounts it
  for key in s u o; do                      # write everything, mount read-only, power off
    echo "$key" >/proc/sysrq-trigger
    sleep 1
  done
  while :; do sleep 10; done
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
# Nothing is lost by a crash that a new image would not bring back.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/first-boot
if ! /debootstrap/debootstrap --second-stage; then
  tail -n 30 /debootstrap/debootstrap.log
  leave failed
fi
rm -f /etc/dpkg/dpkg.cfg.d/first-boot /sbin/first-boot /var/log/bootstrap.log
apt-get clean
leave installed
