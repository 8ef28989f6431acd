#!/bin/bash
# Cameras without hardware, and vl2 watch looking through them. A step that begins one ends all with end_cameras.

# What an emulated machine has time for, as lines of a configuration.
# shellcheck disable=SC2034 # steps use it
SMALL=("size: 320x240" "rate: 5")
WEBCAM=/dev/v4l/by-id/usb-vl2_Test_camera_0001-video-index0

# load FOLDER [PARAMETER...]: the kernel modules that the payload has there; parameters are those of the last one.
load() {
  local files=("$BOARD/cameras/$1"/*) file name
  shift
  for file in "${files[@]}"; do
    name=$(basename "$file" .ko)
    name=${name#*-}
    if grep -q "^${name//-/_} " /proc/modules; then continue; fi
    if [ "$file" = "${files[-1]}" ]; then insmod "$file" "$@"; else insmod "$file"; fi
  done
}

PYTHON=(env "PYTHONHOME=$BOARD/python/usr" "$BOARD/python/usr/bin/python3" -B)
AS_NOBODY=(setpriv --reuid=nobody --regid=nogroup)

# load_vivid INTERFACE: the kernel's camera for tests; single-planar or multi-planar.
load_vivid() {
  local interface=1
  if [ "$1" = multi-planar ]; then interface=2; fi
  load vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 no_error_inj=0 "multiplanar=$interface"
  udevadm settle
}
no_vivid() { if grep -q '^vivid ' /proc/modules; then wait_for 60 "the end of the module vivid" rmmod vivid; fi; }

# start_webcam: a camera on USB, plugged in. say COMMAND...: to it (webcam.py says which); returns when it was done.
start_webcam() {
  load usb
  # That of a step which was ended for its time is still plugged in.
  if [ -e "$WORK/webcam.pid" ]; then kill "$(cat "$WORK/webcam.pid")" 2>/dev/null || true; fi
  wait_for 60 "the end of another camera of this name" test ! -e "$WEBCAM"
  rm -f "$WORK/webcam"
  "${PYTHON[@]}" "$BOARD/webcam.py" "$BOARD/frames" "$WORK/webcam" >"$WORK/webcam.log" 2>&1 &
  webcam=$!
  echo "$webcam" >"$WORK/webcam.pid"
  wait_for 180 "the camera's name" named_or_ended
  [ -e "$WEBCAM" ] || fail "webcam.py has ended: $(cat "$WORK/webcam.log")"
}
named_or_ended() { [ -e "$WEBCAM" ] || ! kill -0 "$webcam"; }
say() {
  local before
  before=$(grep -cx -- "$*" "$WORK/webcam.log" || true)
  kill -0 "$webcam" 2>/dev/null || fail "webcam.py has ended: $(cat "$WORK/webcam.log")"
  echo "$*" >"$WORK/webcam"
  wait_for 60 "the camera at '$*'" has_said "$before" "$*"
}
has_said() { [ "$(grep -cx -- "$2" "$WORK/webcam.log")" -gt "$1" ]; }

# start_watch CAMERA [LINE...]: looks through it as a user of group video; lines are the configuration's. With TELL=always
# before it, each answer is told.
start_watch() {
  local camera=$1
  shift
  local question="{name: star, ask: \"What colour is the star?\", tell: ${TELL:-changes}}"
  printf '%s\n' "camera: $camera" "$@" "questions: [$question]" >"$WORK/watch.yaml"
  chmod 755 "$WORK"
  "${AS_NOBODY[@]}" --groups=video vl2 watch --model /usr/share/vl2/pocket/pocket.vl2q --max-tiles 1 "$WORK/watch.yaml" \
    >"$WORK/watch.out" 2>"$WORK/watch.err" &
  watch=$!
}
is_watching() { kill -0 "$watch" 2>/dev/null; }

# told: the answers and events of vl2 watch so far, in a line; but for frames that were broken, which are counted.
told() {
  sed -n 's/.*"event": *"\([a-z]*\)".*/\1/p; s/.*"answer": *"\([^"]*\)".*/\1/p' "$WORK/watch.out" | grep -vx broken |
    paste -sd ' '
}
events() { sed -n 's/.*"event": *"\([a-z]*\)".*/\1/p' "$WORK/watch.out" | grep -vx broken | paste -sd ' '; }
# wait_told SECONDS WORDS: until that is what was told, all of it.
wait_told() { wait_until "$1" told "$2"; }
# The same of events alone: what is answered does not matter.
wait_events() { wait_until "$1" events "$2"; }
wait_until() {                              # wait_until SECONDS COMMAND WORDS
  local end=$((SECONDS + $1))
  until [ "$("$2")" = "$3" ]; do
    is_watching || fail "vl2 watch has ended while '$3' was waited for: $(cat "$WORK/watch.err" "$WORK/watch.out")"
    if [ "$SECONDS" -ge "$end" ]; then
      echo "the last commands to the camera:"
      tail -n 8 "$WORK/webcam.log" 2>/dev/null || true
      echo "what vl2 watch wrote, and on standard error:"
      tail -n 12 "$WORK/watch.out"
      tail -n 5 "$WORK/watch.err"
      echo "the kernel:"
      dmesg | tail -n 12
      fail "$2 is '$("$2")', not '$3', after $1 s"
    fi
    sleep 0.3
  done
}
# A number of the last line: frames, answers, broken, dropped.
in_the_end() { sed -n '$s/.*"'"$1"'": *\([0-9]*\).*/\1/p' "$WORK/watch.out"; }
answer_of() { cat "$BOARD/seen/$1.txt"; }

stop_watch() {
  kill -TERM "$watch"
  wait "$watch" || fail "vl2 watch ended with status $?: $(cat "$WORK/watch.err")"
  expect_equal "what it said on standard error" "" "$(grep -v demonstration "$WORK/watch.err" || true)"
}
end_cameras() {
  local process
  for process in "${watch:-}" "${reader:-}" "${webcam:-}"; do kill "$process" 2>/dev/null || true; done
  wait
  rm -f "$WORK/webcam.pid"
  no_vivid
}
