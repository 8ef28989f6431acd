#!/usr/bin/env bash
# Packs pocket in several ways and counts right answers to the held-out questions of eval/held-out.tar.gz.
# Usage: models/pocket/evaluate.sh [OUT]     (default .build/pocket)
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-.build/pocket}
mkdir -p "$out"
tar -xzf models/pocket/eval/held-out.tar.gz -C "$out"
swift build -c release --product vl2-convert >&2
swift build -c release --product vl2 >&2
bin=$(swift build -c release --show-bin-path)
for weights in bf16 int8 q4; do
  "$bin/vl2-convert" pack models/pocket/checkpoint --weights $weights -o "$out/$weights.vl2q" >&2
done

evaluate() { # NAME MODEL [OPTIONS]
  local name=$1 model=$2
  shift 2
  "$bin/vl2" eval --model "$model" --items "$out/items.jsonl" --json "$@" > "$out/$name.json"
  printf '%s: ' "$name"
  cat "$out/$name.json"
}
evaluate bf16-exact "$out/bf16.vl2q" --exact
evaluate bf16 "$out/bf16.vl2q"
evaluate int8 "$out/int8.vl2q"
evaluate q4 "$out/q4.vl2q"
