#!/usr/bin/env bash
# What the emulated machine has beyond Debian: board.target, which board.service runs at when the system is up. It mounts
# the disk called payload and runs the run.sh that lies on it, with the serial console for its output.
# Usage: board-unit.sh ROOT      ROOT is the folder of the machine's files
set -euo pipefail

root=$1
units=$root/etc/systemd/system
mkdir -p "$units/board.target.wants"
echo board >"$root/etc/hostname"
echo "127.0.0.1 localhost board" >"$root/etc/hosts"
echo "/dev/vda / ext4 defaults,noatime 0 1" >"$root/etc/fstab"
echo "uninitialized" >"$root/etc/machine-id"
# No network: packages come from the payload, and what listens does so on 127.0.0.1.
: >"$root/etc/resolv.conf"

cat >"$units/board.target" <<'UNIT'
[Unit]
Description=A board under test
Requires=multi-user.target
After=multi-user.target
AllowIsolate=yes
UNIT
cat >"$units/board.service" <<'UNIT'
[Unit]
Description=What the payload asks for
After=multi-user.target

[Service]
Type=oneshot
ExecStartPre=/bin/mkdir -p /run/board
ExecStartPre=/bin/mount -o ro /dev/disk/by-id/virtio-payload /run/board
ExecStart=/bin/bash /run/board/run.sh
ExecStopPost=-/bin/systemctl --no-block poweroff
StandardInput=null
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyAMA0
Environment=HOME=/root LC_ALL=C.UTF-8 NO_COLOR=1 SYSTEMD_COLORS=0 SYSTEMD_PAGER=cat
TimeoutStartSec=infinity
UNIT
ln -sf ../board.service "$units/board.target.wants/board.service"

# A getty on the console would hang up the line that results come on; timers of the system would come in between.
for unit in serial-getty@ttyAMA0 getty@tty1 systemd-timesyncd; do ln -sf /dev/null "$units/$unit.service"; done
for unit in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim systemd-tmpfiles-clean; do
  ln -sf /dev/null "$units/$unit.timer"
done
