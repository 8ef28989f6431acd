#!/bin/sh
# Press Enter, and hear what the camera sees: sentence by sentence, while the answer is written. What is wrong with the
# camera is spoken, too. Needs espeak-ng and jq.
# Usage: ask-and-hear.sh [OPTION OF VL2 WATCH...]
#   SPOKEN   the configuration; else spoken.yaml beside this script
#   SPEAK    what speaks a line of its standard input, or its words; else espeak-ng. SPEAK="espeak-ng -v de" for German
set -eu
export SPEAK="${SPEAK:-espeak-ng}"
spoken=${SPOKEN:-$(dirname "$0")/spoken.yaml}

keys=$(mktemp -d)
reader=
trap 'kill $reader 2>/dev/null || true; rm -rf "$keys"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
mkfifo "$keys/asked"
exec 3<&0
# Whoever presses the key hears at once that it was noticed.
while read -r _; do
  $SPEAK "Looking." </dev/null >&2
  echo
done <&3 >"$keys/asked" &
reader=$!
vl2 watch "$@" "$spoken" <"$keys/asked" |
  jq --unbuffered --raw-output '{
    gone: "The camera is not there.", hung: "The camera gives no pictures.", frozen: "The picture does not move.",
    dark: "I see nothing. It is dark, or the camera is covered.", back: "I can see again.",
    failed: "I have no answer."}[.event // ""] // empty' |
  $SPEAK
