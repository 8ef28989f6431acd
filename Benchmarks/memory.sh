#!/usr/bin/env bash
# Runs vl2 in memory control groups smaller than the model: writing under budgets beside what the missed bytes allow,
# a question about a photo, and slow cards. Needs root (cgroup version 1 or 2, dropping caches), python3 for the photo,
# and about 2 GB of disk for random weights of DeepSeek-VL2-Tiny's size. Prints a table for each limit.
# Usage: memory.sh [MODEL]          READ_LIMIT=600M holds the reads of every case to 600 MB a second
#        LIMITS="4096:3800M" memory.sh SMALL     other limits (MiB of the group:--memory), as for Small, without slow cards
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:-.build/bench/tiny.vl2q}
read_limit=${READ_LIMIT:-}
limits=${LIMITS:-1536:1400M 1024:900M 512:420M}

if [ "$(id -u)" != 0 ]; then
  echo "memory.sh: has to run as root, for control groups and for dropping caches" >&2
  exit 64
fi
swift build -c release --product vl2 >&2
vl2=$(swift build -c release --show-bin-path)/vl2
if [ ! -e "$model" ]; then
  swift build -c release --product vl2-convert >&2
  mkdir -p "$(dirname "$model")"
  "$(swift build -c release --show-bin-path)/vl2-convert" synthesize tiny -o "$model" >&2
fi

scratch=$(mktemp -d)
group=vl2-memory-$$
if [ -d /sys/fs/cgroup/memory ]; then
  folder=/sys/fs/cgroup/memory/$group limit_file=memory.limit_in_bytes peak_file=memory.max_usage_in_bytes
  failures_file=memory.oom_control
else
  echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
  folder=/sys/fs/cgroup/$group limit_file=memory.max peak_file=memory.peak failures_file=memory.events
fi
cleanup() { rmdir "$folder" 2>/dev/null || true; rm -rf "$scratch"; }
trap cleanup EXIT

# limited MIB COMMAND...: runs a command in a fresh group of so many MiB, page cache included, with caches dropped.
limited() {
  local mebibytes=$1
  shift
  rmdir "$folder" 2>/dev/null || true
  mkdir "$folder"
  echo $((mebibytes << 20)) >"$folder/$limit_file"
  sync
  echo 3 >/proc/sys/vm/drop_caches
  local status=0
  (
    echo "$BASHPID" >"$folder/cgroup.procs"
    exec "$@"
  ) || status=$?
  local peak="unknown"
  if [ -e "$folder/$peak_file" ]; then peak=$(($(cat "$folder/$peak_file") >> 20)); fi
  echo "limit $mebibytes MiB: most used $peak MiB, exit status $status, OOM kills $(
    awk '/^oom_kill /{print $2}' "$folder/$failures_file"
  )"
}

# A photo of 1200 x 800.
python3 - "$scratch/photo.png" <<'PYTHON'
import random, struct, sys, zlib
width, height = 1200, 800
random.seed(1)
lines = b"".join(
    b"\0" + bytes(v for x in range(width) for v in (x * 255 // width, y * 255 // height, random.randrange(64)))
    for y in range(height))
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
with open(sys.argv[1], "wb") as out:
    out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
              + chunk(b"IDAT", zlib.compress(lines, 1)) + chunk(b"IEND", b""))
PYTHON

bench() { "$vl2" bench --model "$model" "$@"; }
held=()
if [ -n "$read_limit" ]; then held=(--read-limit "$read_limit"); fi

if [ -z "${LIMITS:-}" ]; then
  echo "== no limit: the mapped file"
  cat "$model" >/dev/null
  bench --memory mapped
fi
for pair in $limits; do
  echo
  echo "== limit ${pair%:*} MiB, --memory ${pair#*:} ${held[*]}"
  limited "${pair%:*}" "$vl2" bench --model "$model" --memory "${pair#*:}" "${held[@]}"
done
echo
echo "== limit ${pair%:*} MiB, --memory ${pair#*:}: a question about a photo"
limited "${pair%:*}" "$vl2" ask --model "$model" --memory "${pair#*:}" --max-tokens 40 --stats "$scratch/photo.png" \
  "What is in the picture?"
if [ -n "${LIMITS:-}" ]; then exit; fi
for speed in 400M 90M 40M; do
  echo
  echo "== limit 1024 MiB, --memory 900M, reads held to $speed"
  limited 1024 "$vl2" bench --model "$model" --memory 900M --read-limit "$speed"
done
if [ -d /sys/fs/cgroup/blkio ]; then
  device=$(lsblk -ndo MAJ:MIN "$(df --output=source "$model" | tail -1)" | tr -d ' ')
  slow=/sys/fs/cgroup/blkio/$group
  mkdir "$slow"
  for speed in 90 40; do
    echo
    echo "== limit 1024 MiB, --memory 900M, the disk held to $speed MB/s: 40 tokens about a photo of one tile"
    echo "$device $((speed * 1000000))" >"$slow/blkio.throttle.read_bps_device"
    # shellcheck disable=SC2016  # the inner shell expands these
    limited 1024 bash -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$slow" \
      "$vl2" ask --model "$model" --memory 900M --max-tokens 40 --max-tiles 1 --stats "$scratch/photo.png" \
      "What is in the picture?"
  done
  rmdir "$slow"
fi
