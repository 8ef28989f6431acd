#!/usr/bin/env bash
# Trains pocket and exports it to models/pocket/checkpoint. Goes on from the state in WORK, else from the checkpoint that
# is there, else begins with nothing.
# Needs the packages of requirements.txt and the fonts DejaVu and Liberation (Debian: fonts-dejavu fonts-liberation).
# Usage: run.sh WORK [MINUTES]     MINUTES of the last stage (default 60); the first two take 22
set -euo pipefail
cd "$(dirname "$0")"
work=$(realpath -m "${1:?usage: run.sh WORK [MINUTES]}")
minutes=${2:-60}
python=${PYTHON:-python3}
mkdir -p "$work"

# The tokeniser that ships stays: the states know its words by number.
tokenizer=../checkpoint/tokenizer.json
if [ ! -e "$tokenizer" ]; then
  mkdir -p ../checkpoint
  "$python" vocabulary.py "$tokenizer"
fi
if [ ! -e "$work/pocket.pt" ] && [ ! -e ../checkpoint/config.json ] && [ ! -e "$work/tower.pt" ]; then
  "$python" train_tower.py "$work/tower.pt" --minutes 8 --easy
  "$python" train_tower.py "$work/tower.pt" --minutes 14
fi
start=(--tower "$work/tower.pt")
[ ! -e ../checkpoint/config.json ] || start=(--checkpoint ../checkpoint)
"$python" train.py "$work/pocket.pt" "${start[@]}" --tokenizer "$tokenizer" --minutes "$minutes"
"$python" export.py "$work/pocket.pt" ../checkpoint --tokenizer "$tokenizer"
