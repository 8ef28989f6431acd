#!/usr/bin/env bash
# Times packing and answering on random weights of DeepSeek-VL2-Tiny's published size (about 1.9 GB of disk) and
# prints a table: medians of several runs of whole processes.
# Usage: run.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
model=.build/bench/tiny.vl2q
picture=Benchmarks/photo.jpg

swift build -c release --product vl2-convert >&2
swift build -c release --product vl2 >&2
bin=$(swift build -c release --show-bin-path)
mkdir -p .build/bench
if [ ! -e "$model" ] || [ "$bin/vl2-convert" -nt "$model" ]; then
  "$bin/vl2-convert" synthesize tiny -o "$model" >&2
fi
cat "$model" >/dev/null # a first run would measure the disk

for ((run = 0; run < runs; run++)); do
  "$bin/vl2" ask --model "$model" --max-tokens 64 --json "$picture" "What is in the picture?"
done | python3 -c '
import json, statistics, sys

answers = [json.loads(line) for line in sys.stdin]

def median(read):
    values = [read(a) for a in answers if read(a) is not None]
    return statistics.median(values) if values else float("nan")

first = answers[0]
print("{} runs, {threads} threads, {tiles} tiles, {prompt_tokens} prompt tokens".format(len(answers), **first))
rows = [("open, s", lambda a: a["seconds"]["open"]),
        ("vision, s a tile", lambda a: a["seconds"]["vision"] / a["tiles"]),
        ("prompt, tokens/s", lambda a: a["prompt_tokens"] / a["seconds"]["prompt"]),
        ("writing, tokens/s", lambda a: a.get("write_tokens_per_second")),
        ("anonymous memory, MiB", lambda a: a["peak_anonymous_bytes"] / 2**20),
        ("file-backed memory, MiB", lambda a: a["peak_file_backed_bytes"] / 2**20)]
for name, read in rows:
    print(f"| {name} | {median(read):.3g} |")
'
