#!/bin/bash
# What steps are written with. A step is a script that run.sh runs with -e: whatever fails fails it.

# fail TEXT...: the step has failed, for this reason.
fail() { echo "FAILED: $*"; exit 1; }

# note TEXT...: something measured, shown beside the step's result.
note() { echo "$*" >>"$WORK/notes"; }

# expect_equal WHAT WANTED FOUND
expect_equal() { [ "$2" = "$3" ] || fail "$1 is '$3', not '$2'"; }

# expect_match WHAT REGEX FOUND: some line of it matches.
expect_match() { grep -Eqi -- "$2" <<<"$3" || fail "$1 has no line like /$2/: $3"; }

# expect_file FILE...: each is there. expect_no_file FILE...: none is.
expect_file() { local f; for f in "$@"; do [ -e "$f" ] || fail "$f is not there"; done; }
expect_no_file() { local f; for f in "$@"; do [ ! -e "$f" ] || fail "$f is there"; done; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local limit=$1 end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || fail "$what: not within $limit s ($*)"
    sleep 0.3
  done
}

# Installs the file named, with what it needs from the payload's repository.
apt_install() {
  echo "deb [trusted=yes] file:$BOARD/packages ./" >/etc/apt/sources.list.d/board.list
  [ ! -e /etc/apt/sources.list ] || : >/etc/apt/sources.list
  rm -f /etc/apt/sources.list.d/debian.sources
  apt-get update -qq
  apt-get install -y -qq "$@"
}

# A property of the service: of [NAME].
of() { systemctl show --property "$1" --value vl2.service; }
is_active() { [ "$(of ActiveState)" = active ]; }
has_restarted() { [ "$(of NRestarts)" -ge 1 ]; }

# What the service wrote to the journal since `mark`.
mark() { journalctl --sync 2>/dev/null || true; date +'%F %T' >"$WORK/mark"; }
log_since_mark() {
  journalctl --sync 2>/dev/null || true
  journalctl --no-pager --quiet --boot --unit vl2.service --since "$(cat "$WORK/mark")" --output cat
}

# drop_in LINES...: settings for [Service] until no_drop_in or a reboot.
drop_in() {
  mkdir -p /run/systemd/system/vl2.service.d
  printf '[Service]\n' >/run/systemd/system/vl2.service.d/board.conf
  printf '%s\n' "$@" >>/run/systemd/system/vl2.service.d/board.conf
  systemctl daemon-reload
  systemctl reset-failed vl2.service || true      # these starts do not count against the unit's limit
}
no_drop_in() {
  rm -rf /run/systemd/system/vl2.service.d
  systemctl daemon-reload
}

# start_service: it says itself when it is ready (Type=notify), so that it answers from then on.
start_service() {
  systemctl reset-failed vl2.service || true
  systemctl start vl2.service
  expect_equal "the service's state" active "$(of ActiveState)"
}
stop_service() { systemctl stop vl2.service; systemctl reset-failed vl2.service 2>/dev/null || true; }

# expect_answer QUESTION: the service answers it over HTTP as this machine's host does. Questions are star and sign.
expect_answer() {
  local answer
  curl --silent --show-error --fail-with-body --max-time 120 --retry 0 \
    --header 'Content-Type: application/json' --data "@$BOARD/requests/$1.json" \
    http://127.0.0.1:11434/v1/chat/completions >"$WORK/response" || fail "curl: $(cat "$WORK/response")"
  # The answer's text is a plain word: no JSON escapes to read.
  answer=$(sed -n 's/.*"content": *"\([^"]*\)".*/\1/p' "$WORK/response")
  expect_equal "the service's answer to '$1'" "$(cat "$BOARD/expected/$1.txt")" "$answer"
}
