#!/usr/bin/env bash
# Runs `vl2 bench` on random weights of DeepSeek-VL2's published sizes: for each one JSON object with the medians of
# several runs. Needs 1.9 GB of disk for tiny, 9.1 for small and 15.4 for base, and the same of memory for figures
# that mean the processor rather than the disk.
# Usage: run.sh [RUNS [SIZE...]]      for example: run.sh 5 tiny small base; without sizes, tiny
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
sizes=("${@:2}")
[ ${#sizes[@]} -gt 0 ] || sizes=(tiny)

swift build -c release --product vl2-convert >&2
swift build -c release --product vl2 >&2
bin=$(swift build -c release --show-bin-path)
mkdir -p .build/bench
for size in "${sizes[@]}"; do
  model=.build/bench/$size.vl2q
  if [ ! -e "$model" ] || [ "$bin/vl2-convert" -nt "$model" ]; then
    "$bin/vl2-convert" synthesize "$size" -o "$model" >&2
  fi
  cat "$model" >/dev/null # a first run would measure the disk
  "$bin/vl2" bench --model "$model" --runs "$runs" --json
done
