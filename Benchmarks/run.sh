#!/usr/bin/env bash
# Runs `vl2 bench` on random weights of DeepSeek-VL2-Tiny's published size (about 1.9 GB of disk): one JSON object
# with the medians of several runs.
# Usage: run.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
model=.build/bench/tiny.vl2q

swift build -c release --product vl2-convert >&2
swift build -c release --product vl2 >&2
bin=$(swift build -c release --show-bin-path)
mkdir -p .build/bench
if [ ! -e "$model" ] || [ "$bin/vl2-convert" -nt "$model" ]; then
  "$bin/vl2-convert" synthesize tiny -o "$model" >&2
fi
cat "$model" >/dev/null # a first run would measure the disk

"$bin/vl2" bench --model "$model" --runs "$runs" --json
