#!/usr/bin/env bash
# Answer a batch on several hosts over ssh with GNU parallel: each host takes a part, then the next one that nobody has.
# Usage: run.sh --hosts FILE --parts N [--there FOLDER] IN.jsonl OUT.jsonl [OPTION OF vl2 batch]...
#   --hosts   a line for each host: 1/NAME, where 1 is how many parts it answers at a time, and NAME what ssh calls it.
#             May be changed while this runs: a host that was added gets parts, one that was taken out gets no more.
#   --parts   into how many parts the batch is divided: many more than hosts, so that a host that goes loses little
#   --there   the folder on the hosts that has IN.jsonl and what the options name (this folder)
# A part whose host goes is answered by another one. Run it again with the same words to go on: parts that are there are kept.
# Answers of parts are in OUT.jsonl.parts until all are there, with joblog, which says what ran where, and for each what was said (.err).
# PARALLEL_SSH is the ssh to use, for example 'ssh -i key'.
set -euo pipefail

say() { printf 'run.sh: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
hosts='' parts='' there=$PWD
while [ $# -gt 0 ]; do
  case $1 in
    --hosts) hosts=${2:?--hosts: give a file}; shift 2 ;;
    --parts) parts=${2:?--parts: give a number}; shift 2 ;;
    --there) there=${2:?--there: give a folder}; shift 2 ;;
    *) break ;;
  esac
done
[ $# -ge 2 ] || fail "give: --hosts FILE --parts N IN.jsonl OUT.jsonl [OPTION OF vl2 batch]..."
[ -r "$hosts" ] || fail "--hosts '$hosts': cannot be read; write a line 1/NAME for each host"
in=$1 out=$2
shift 2
[ ! -e "$out" ] || fail "$out is there already; give another name, or remove it"
parallel --version 2>/dev/null | grep -q '^GNU parallel' || fail "GNU parallel is not installed here (Debian: parallel)"

folder=$out.parts
mkdir -p "$folder"
# One at a time, and always the same parts: with another number, what is there would be of other lines.
exec 9>"$folder/lock"
# What runs on after this was killed does no harm: it writes the same bytes to the same places.
flock -n 9 || fail "another run.sh works on $out"
is="$parts $(sha256sum <"$in" | cut -c 1-64) $*"
[ ! -e "$folder/batch" ] || [ "$(cat "$folder/batch")" = "$is" ] ||
  fail "$folder was begun with another input, number of parts or options; give the same again, or remove $folder"
printf '%s' "$is" >"$folder/batch"
# parts.sh stands beside the folder of this file, or beside this file where it was copied alone.
[ -x "$here/parts.sh" ] && tool=$here/parts.sh || tool=$here/../parts.sh

# Status 65 says that some lines have errors in place of answers, which are answers to those lines. Whether a part is whole is
# counted afterwards.
printf -v options ' %q' "$@"
# shellcheck disable=SC2016 # the shell there expands it
printf -v job 'vl2 batch %q -o - --shard {}/%s%s; status=$?; [ $status -ne 65 ] || status=0; exit $status' "$in" "$parts" "$options"
# A host that went without a word is noticed after a minute.
export PARALLEL_SSH="${PARALLEL_SSH:-ssh} -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
"$tool" missing "$in" "$parts" "$folder" >"$folder/missing"
say "$(wc -l <"$folder/missing") of $parts parts to answer"
# The log of an earlier run is kept; parallel writes a new one.
[ ! -s "$folder/joblog" ] || cat "$folder/joblog" >>"$folder/joblog.before"
status=0
if [ -s "$folder/missing" ]; then
  # --retries counts on another host each time, as far as there are any.
  parallel --sshloginfile "$hosts" --workdir "$there" --retries 4 --results "$folder/{}.jsonl" --joblog "$folder/joblog" \
    "$job" :::: "$folder/missing" >/dev/null 9>&- || status=$?
fi
left=$("$tool" missing "$in" "$parts" "$folder" | wc -l)
if [ "$left" -gt 0 ]; then
  say "$left of $parts parts are not complete ($status jobs failed); $folder/joblog and $folder/*.err say more. Run it again to go on"
  exit 1
fi
"$tool" join "$in" "$parts" "$folder" "$out"
say "$out has all $(wc -l <"$out") answers; $folder is of no more use"
