#!/usr/bin/env bash
# The parts of a batch: which are not complete yet, and all of them as one output. What runs the parts calls it
# (parallel/run.sh, slurm/submit.sh).
# Usage: parts.sh missing IN.jsonl PARTS FOLDER        prints the numbers of the parts that FOLDER does not have whole
#        parts.sh join IN.jsonl PARTS FOLDER OUT.jsonl  writes all parts one after the other; fails where one is not whole
# The output of part I is FOLDER/I.jsonl, made by `vl2 batch --shard I/PARTS`. It is whole when it has as many lines as the part has
# requests, and ends with a whole line.
set -euo pipefail

fail() { printf 'parts.sh: %s\n' "$*" >&2; exit 1; }
[ $# -ge 4 ] || fail "give: missing|join IN.jsonl PARTS FOLDER [OUT.jsonl]"
command=$1 in=$2 parts=$3 folder=$4
[[ $parts =~ ^[1-9][0-9]{0,4}$ ]] || fail "$parts: give a number of parts from 1 to 99999"
[ -r "$in" ] || fail "$in cannot be read"

# Blank lines are no requests.
requests=$(grep -c '[^[:space:]]' "$in" || true)

is_whole() { # PART
  local file=$folder/$1.jsonl
  local wanted=$((requests * $1 / parts - requests * ($1 - 1) / parts))
  [ -f "$file" ] || return 1
  [ "$(wc -l <"$file")" -eq "$wanted" ] && [ -z "$(tail -c 1 "$file" | tr -d '\n')" ]
}

missing() {
  local part
  for ((part = 1; part <= parts; part++)); do
    is_whole "$part" || printf '%s\n' "$part"
  done
}

case $command in
  missing) missing ;;
  join)
    [ $# -eq 5 ] || fail "join: give IN.jsonl PARTS FOLDER OUT.jsonl"
    left=$(missing | wc -l)
    [ "$left" -eq 0 ] || fail "$left of $parts parts are not complete in $folder; run what makes them again"
    for ((part = 1; part <= parts; part++)); do cat "$folder/$part.jsonl"; done >"$5.part"
    sync "$5.part"
    mv "$5.part" "$5"
    ;;
  *) fail "$command: give missing or join" ;;
esac
