#!/bin/sh
# Press Enter, and hear what the camera sees: sentence by sentence, while the answer is written. What is wrong with the camera
# is spoken, too. Needs espeak-ng and jq.
# Usage: ask-and-hear.sh [OPTION OF VL2 WATCH...]
#   SPOKEN   the configuration; else spoken.yaml beside this script
#   SPEAK    what speaks a line of its standard input, or its words; else espeak-ng. SPEAK="espeak-ng -v de" for German
set -eu
export SPEAK="${SPEAK:-espeak-ng}"
spoken=${SPOKEN:-$(dirname "$0")/spoken.yaml}

# Whoever presses the key hears at once that it was noticed.
while read -r _; do
  $SPEAK "Looking."
  echo
done |
  vl2 watch "$@" "$spoken" |
  jq --unbuffered --raw-output '{
    gone: "The camera is not there.", hung: "The camera gives no pictures.", frozen: "The picture does not move.",
    dark: "I see nothing. It is dark, or the camera is covered.", back: "I can see again.",
    failed: "I have no answer."}[.event // ""] // empty' |
  $SPEAK
