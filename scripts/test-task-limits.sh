#!/usr/bin/env bash
# Run every command where the system makes few processes and threads: as a user of its own under `ulimit -u`, and in a
# control group with pids.max. Each has to do its work or to end with status 69 and a line that says why; none may hang, and
# each has to end within a second of SIGTERM (synthesize, which deletes gigabytes then, within five).
# Usage: test-task-limits.sh [LIMIT...]       as root; limits of tasks, else 1 2 3 20
#   VL2_BUILD   the folder of vl2 and vl2-convert; else they are built
set -euo pipefail
cd "$(dirname "$0")/.."

limits=("$@")
[ $# -gt 0 ] || limits=(1 2 3 20)
user=61184                                  # a number that is nobody's, so that it has no other processes
most=120                                    # seconds for a command that works
[ "$(id -u)" -eq 0 ] || { echo "This needs root: it runs the programs as another user. Run: sudo $0" >&2; exit 1; }

bin=${VL2_BUILD:-}
if [ -z "$bin" ]; then
  swift build -c release --product vl2-convert >&2
  swift build -c release --product vl2 >&2
  bin=$(swift build -c release --show-bin-path)
fi
folder=$(mktemp -d /tmp/vl2-task-limits.XXXXXX)
group=
cleanup() {
  [ -z "$group" ] || { echo 0 >"$(dirname "$group")/cgroup.procs"; rmdir "$group"; } 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

cp "$bin/vl2" "$bin/vl2-convert" models/pocket/demo.png "$folder/"
cp -r models/pocket/checkpoint "$folder/checkpoint"
cd "$folder"
./vl2-convert pack checkpoint -o pocket.vl2q >&2
printf '%s\n' '{"task": "colour", "images": ["demo.png"], "question": "What colour is the star?", "answer": "red"}' >items.jsonl
./vl2 ask --model pocket.vl2q demo.png "What colour is the star?" >expected
chown -R "$user" .

for root in /sys/fs/cgroup /sys/fs/cgroup/pids; do
  if [ -z "$group" ] && mkdir "$root/vl2-task-limits" 2>/dev/null; then
    if [ -e "$root/vl2-task-limits/pids.max" ]; then group=$root/vl2-task-limits; else rmdir "$root/vl2-task-limits"; fi
  fi
done
ways=(ulimit)
if [ -n "$group" ]; then ways+=(pids); else echo "This machine lets nobody make a control group with pids.max: not run" >&2; fi

# Becomes COMMAND as another user, with so many tasks at most.
limited() {                                 # limited WAY LIMIT COMMAND...
  local way=$1 limit=$2
  shift 2
  if [ "$way" = pids ]; then
    echo "$limit" >"$group/pids.max"
    echo "$BASHPID" >"$group/cgroup.procs"
    exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
  fi
  # shellcheck disable=SC2016 # the inner shell expands
  exec setpriv --reuid "$user" --regid "$user" --clear-groups bash -c 'ulimit -u "$0"; exec "$@"' "$limit" "$@"
}

start() { limited "$@" <input >output 2>errors & pid=$!; }

# Whether the process ends within so many tenths of a second.
ends_within() {                             # ends_within TENTHS
  local left=$1
  while kill -0 "$pid" 2>/dev/null; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep 0.1
  done
}

failures=0
complain() { echo "   $way $limit: $name: $*"; failures=$((failures + 1)); }

# Ends the process by SIGTERM, and by SIGKILL where that takes over a second.
terminate() {
  local tenths=10
  # The system needs a while to forget the gigabytes that it deletes.
  [ "$name" != synthesize ] || tenths=50
  kill -TERM "$pid" 2>/dev/null || true
  ends_within "$tenths" || { complain "still there $((tenths / 10)) s after SIGTERM"; kill -KILL "$pid"; }
  status=0
  wait "$pid" || status=$?
}

# What becomes of a command when it is left alone, and when it is told to end.
try() {                                     # try NAME COMMAND...
  local name=$1 status=0
  shift
  rm -rf out out.*
  start "$way" "$limit" "$@"
  if [ "$name" = serve ]; then
    # It works when it answers.
    for ((tenths = 0; tenths < most * 10; tenths++)); do
      if ! kill -0 "$pid" 2>/dev/null || curl --silent --fail --output health "http://127.0.0.1:$port/health"; then break; fi
      sleep 0.1
    done
    if kill -0 "$pid" 2>/dev/null; then
      [ -s health ] || complain "no answer after $most s"
      terminate
    else
      wait "$pid" || status=$?
    fi
  elif [ "$name" = synthesize ]; then
    # Gigabytes: it works when it is still at work.
    if ends_within 20; then wait "$pid" || status=$?; else terminate; fi
    [ "$status" -ne 143 ] || status=0
  else
    ends_within $((most * 10)) || { complain "not done after $most s"; kill -KILL "$pid"; }
    wait "$pid" || status=$?
  fi
  case $status in
    0) [ "$name" != ask ] || cmp -s output expected || complain "another answer: $(head -n 1 output)" ;;
    69) grep -q thread errors || complain "status 69 without a reason: $(head -n 1 errors)" ;;
    *) complain "status $status: $(head -n 1 errors)" ;;
  esac
  outcomes+=" $name=$status"
  rm -rf out out.* health
  start "$way" "$limit" "$@"
  sleep 0.2
  terminate
  rm -rf out out.*
}

port=11987
printf 'What colour is the star?\n' >input
printf '%s\n' '{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"max_tokens": 2, "messages":
  [{"role": "user", "content": "What?"}]}}' | tr -d '\n' >batch.jsonl
for way in "${ways[@]}"; do
  for limit in "${limits[@]}"; do
    outcomes=
    try ask ./vl2 ask --model pocket.vl2q demo.png "What colour is the star?"
    try chat ./vl2 chat --model pocket.vl2q demo.png
    try eval ./vl2 eval --model pocket.vl2q --items items.jsonl
    try bench ./vl2 bench --model pocket.vl2q --runs 1
    try doctor ./vl2 doctor --model pocket.vl2q
    try batch ./vl2 batch --model pocket.vl2q batch.jsonl -o out.jsonl
    try describe ./vl2 describe --model pocket.vl2q demo.png
    try read ./vl2 read --model pocket.vl2q demo.png
    try watch ./vl2 watch --model pocket.vl2q - "What is it?"
    try serve ./vl2 serve --demo --model pocket.vl2q --port $port
    try pack ./vl2-convert pack checkpoint -o out
    try verify ./vl2-convert verify pocket.vl2q
    try inspect ./vl2-convert inspect pocket.vl2q
    try diff ./vl2-convert diff pocket.vl2q pocket.vl2q
    try dequantize ./vl2-convert dequantize pocket.vl2q -o out
    try synthesize ./vl2-convert synthesize tiny -o out
    echo "$way $limit:$outcomes"
  done
done
[ "$failures" -eq 0 ] || { echo "$failures faults"; exit 1; }
