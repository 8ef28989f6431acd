#!/bin/bash
# What the machine does in one boot: the steps that the payload lists for it, one after the other. Results go to the serial
# console as lines that scripts/board/test.py reads. Runs in the machine alone, from the payload's disk.
# Usage: run.sh      the kernel's command line has board.boot=NAME; boots/NAME lists the steps: NAME SECONDS [ARGUMENT]
#   @board begin NAME SECONDS      at most so many seconds
#   @board pass NAME SECONDS       or fail; NAME has its argument in it
#   @board note NAME TEXT          something measured
#   @board cut NAME                the host is to take the power away now
#   @board end                     all steps of this boot are done
set -uo pipefail
export BOARD=/run/board WORK=/var/tmp/board CUT=/run/board-cut DEBIAN_FRONTEND=noninteractive
mkdir -p "$WORK"
cd "$WORK" || exit 1

# A line of its own, whatever the kernel wrote before; the kernel is quiet from here on, its words are in the journal.
tell() { printf '\n@board %s\n' "$*"; }
dmesg -n 1
uptime() { cut -d ' ' -f 1 /proc/uptime; }
since() { awk -v from="$1" '{ printf "%.1f", $1 - from }' /proc/uptime; }

boot=$(sed -n 's/.*board\.boot=\([^ ]*\).*/\1/p' /proc/cmdline)
tell "up $(uptime)"
while read -r step seconds argument; do
  name=$step${argument:+ $argument}
  tell "begin $name $seconds"
  from=$(uptime) begin=$(date +%s)
  : >"$WORK/notes"
  # A file for the output: what a step starts and leaves running would hold a pipe open.
  # shellcheck disable=SC2016 # the inner shell expands
  timeout --kill-after=10 "$seconds" bash -euo pipefail -c \
    'for file in expect files cameras "steps/$0"; do . "$BOARD/$file.sh"; done' \
    "$step" "$argument" >"$WORK/output" 2>&1 </dev/null
  status=$?
  if [ -e "$CUT" ] && [ "$status" -eq 0 ]; then
    tell "pass $name $(since "$from")"
    tell "cut $name"
    sleep 600                               # the host is quicker
  fi
  while IFS= read -r note; do tell "note $name $note"; done <"$WORK/notes"
  if [ "$status" -eq 0 ]; then
    tell "pass $name $(since "$from")"
  else
    [ "$status" -ne 124 ] || echo "not done after $seconds s" >>"$WORK/output"
    echo "--- $name failed (status $status); its output:"
    cat "$WORK/output"
    echo "--- the service:"
    systemctl status --no-pager --lines=0 vl2.service 2>&1
    echo "--- the journal's end:"
    journalctl --no-pager --quiet --boot --since "@$begin" --lines=40 --output=short-monotonic
    tell "fail $name $(since "$from")"
    # Without the package nothing else can be tried.
    [ "$step" != install ] || break
  fi
done <"$BOARD/boots/$boot"
tell "end"
sync
systemctl --no-block "$(cat "$BOARD/boots/$boot.then")"
