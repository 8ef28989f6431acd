#!/usr/bin/env bash
# One round of the comparison with other programs: vl2 and its peers one after the other, each result one line of JSON
# appended to a file. compare.sh calls it; by hand it is of use where the machine is quiet for two minutes only.
# Usage: round.sh RESULTS THREADS MODEL [PEERS_PYTHON PEERS_FOLDER]
#   VL2   the program to measure, else the release build here
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
results=$1 threads=$2 model=$3 python=${4:-} folder=${5:-}
vl2=${VL2:-$here/../.build/release/vl2}

"$vl2" bench --model "$model" --threads "$threads" --runs 1 --json >>"$results"
[ -n "$python" ] || exit 0
if "$python" -c 'import llama_cpp, gguf, numpy' 2>/dev/null; then
  for kind in Q4_0 IQ4_NL; do
    "$python" "$here/peers/llama_cpp_speed.py" "$folder" "$kind" --threads "$threads" ${FAR:+--far} >>"$results"
  done
fi
if "$python" -c 'import torch' 2>/dev/null; then
  "$python" "$here/peers/torch_tower.py" --threads "$threads" --runs 1 >>"$results"
fi
"$vl2" bench --model "$model" --threads "$threads" --runs 1 --json >>"$results"
