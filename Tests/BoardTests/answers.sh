#!/usr/bin/env bash
# Ask the model that the package brings a handful of questions, one of each kind, and have it judged on eight items. Run on
# the host and in the machine with the same words; what it writes has to be the same to the byte.
# Usage: answers.sh VL2 MODEL PICTURE ITEMS.jsonl FOLDER
set -euo pipefail

vl2=$1 model=$2 picture=$3 items=$4 folder=$5
mkdir -p "$folder"
ask() { local name=$1; shift; "$vl2" ask --model "$model" "$@" >"$folder/$name.txt"; }
ask star "$picture" "What colour is the star?"
ask sign "$picture" "What does the sign say?"
ask ground --ground "the star" "$picture"
ask choices --choices red,blue,green "$picture" "What colour is the star?"
"$vl2" eval --model "$model" --items "$items" --limit 8 --answers "$folder/eval.jsonl" >/dev/null
