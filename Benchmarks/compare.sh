#!/usr/bin/env bash
# What `make bench` does: measures vl2 beside llama.cpp and PyTorch, in turns, so that all see the same machine, and writes
# the medians and ratios into Benchmarks/RESULTS.md and Benchmarks/speed.svg. Random weights of DeepSeek-VL2-Tiny's size.
# Usage: compare.sh [ROUNDS]          without a number, 3; each takes about two minutes
#   PEERS    a Python with the peers' packages, else .build/bench/peers/bin/python where that is there, else python3
#   THREADS  of each program, else one for each processor
#   FAR=1    measures writing at context 3,500 with llama.cpp too, which takes another minute a round
# Without the peers it measures vl2 alone and says how to get them. Needs python3, and with llama.cpp 9 GB of disk.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3} threads=${THREADS:-$(nproc)} folder=.build/bench
python=${PEERS:-}
if [ -z "$python" ]; then
  python=python3
  if [ -x "$folder/peers/bin/python" ]; then python=$folder/peers/bin/python; fi
fi

swift build -c release --product vl2-convert >&2
swift build -c release --product vl2 >&2
bin=$(swift build -c release --show-bin-path)
mkdir -p "$folder"
model=$folder/tiny.vl2q results=$folder/rounds.jsonl
if [ ! -e "$model" ] || [ "$bin/vl2-convert" -nt "$model" ]; then
  "$bin/vl2-convert" synthesize tiny -o "$model" >&2
fi
cat "$model" >/dev/null                     # a first run would measure the disk

install="python3 -m venv $folder/peers && $folder/peers/bin/pip install"
if "$python" -c 'import llama_cpp, gguf, numpy' 2>/dev/null; then
  for kind in Q4_0 IQ4_NL; do
    "$python" Benchmarks/peers/llama_cpp_speed.py "$folder" "$kind" --threads "$threads" --prepare
  done
else
  echo "compare.sh: without llama.cpp; to have it: $install llama-cpp-python gguf numpy" >&2
fi
"$python" -c 'import torch' 2>/dev/null ||
  echo "compare.sh: without PyTorch; to have it: $install torch" >&2

: >"$results"
for ((round = 1; round <= rounds; round++)); do
  echo "compare.sh: round $round of $rounds" >&2
  VL2=$bin/vl2 Benchmarks/round.sh "$results" "$threads" "$model" "$python" "$folder"
done
python3 Benchmarks/report.py "$results"
