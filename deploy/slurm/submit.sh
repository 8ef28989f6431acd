#!/usr/bin/env bash
# Answer a batch as an array of Slurm's: a task for each part that is not complete yet.
# Usage: submit.sh --parts N [--sbatch 'OPTIONS'] IN.jsonl OUT.jsonl [OPTION OF vl2 batch]...
#   --parts    into how many parts the batch is divided; the same number each time
#   --sbatch   options of sbatch: '--partition=boards --time=2:00:00 --cpus-per-task=4'
# Answers of parts come into OUT.jsonl.parts, which all nodes have to see. Run it again with the same words when the array is over: what
# is missing is sent again; once nothing is, OUT.jsonl is written. Parts whose node is lost are begun again by Slurm itself.
set -euo pipefail

say() { printf 'submit.sh: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
parts='' more=''
while [ $# -gt 0 ]; do
  case $1 in
    --parts) parts=${2:?--parts: give a number}; shift 2 ;;
    --sbatch) more=${2:?--sbatch: give options}; shift 2 ;;
    *) break ;;
  esac
done
[ $# -ge 2 ] || fail "give: --parts N IN.jsonl OUT.jsonl [OPTION OF vl2 batch]..."
in=$1 out=$2
shift 2
[ ! -e "$out" ] || fail "$out is there already; give another name, or remove it"
[[ $in != *,* && $out != *,* ]] || fail "sbatch takes no names with commas"
folder=$out.parts
mkdir -p "$folder/logs"
is="$parts $(sha256sum <"$in" | cut -c 1-64) $*"
[ ! -e "$folder/batch" ] || [ "$(cat "$folder/batch")" = "$is" ] ||
  fail "$folder was begun with another input, number of parts or options; give the same again, or remove $folder"
[ -x "$here/parts.sh" ] && tool=$here/parts.sh || tool=$here/../parts.sh
missing=$("$tool" missing "$in" "$parts" "$folder" | paste -sd, -)
printf '%s' "$is" >"$folder/batch"

if [ -e "$folder/job" ] && squeue --noheader --jobs "$(cat "$folder/job")" 2>/dev/null | grep -q .; then
  say "array $(cat "$folder/job") is at work; run this again when squeue has no more of it"
  exit 75
fi
if [ -z "$missing" ]; then
  "$tool" join "$in" "$parts" "$folder" "$out"
  say "$out has all $(wc -l <"$out") answers; $folder is of no more use"
  exit 0
fi
# Parts that follow one another as 3-17: a list of thousands of numbers is too long for Slurm.
ranges=$(tr , '\n' <<<"$missing" | awk '
  NR > 1 && $1 == last + 1 { last = $1; next }
  NR > 1 { printf "%s%s", separator, first == last ? first : first "-" last; separator = "," }
  { first = last = $1 }
  END { printf "%s%s", separator, first == last ? first : first "-" last }')
# shellcheck disable=SC2086 # several words
sbatch --parsable --array="$ranges" --output="$folder/logs/%a" $more \
  --export="ALL,VL2_IN=$in,VL2_PARTS=$parts,VL2_FOLDER=$folder" "$here/batch.sh" "$@" >"$folder/job"
say "array $(cat "$folder/job"): parts $ranges; run this again when squeue has no more of it"
