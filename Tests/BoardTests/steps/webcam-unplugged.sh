# shellcheck shell=bash
# A webcam that is unplugged while it streams is gone, and is back when it is plugged in, although another camera has taken
# its number meanwhile.
trap end_cameras EXIT
start_webcam
node=$(readlink -f "$WEBCAM")
start_watch "$node" "${SMALL[@]}"
wait_told 300 "$(answer_of plain)"
say unplug
wait_told 300 "$(answer_of plain) gone"
expect_match "the event" "$node: .*(VIDIOC_DQBUF|error)" "$(cat "$WORK/watch.out")"
note "$(sed -n 's/.*"event": *"gone".*"message": *"\([^"]*\)".*/\1/p' "$WORK/watch.out")"
wait_for 30 "the node's end" test ! -e "$node"
load_vivid single-planar
wait_for 60 "another camera under its number" test -e "$node"
say show shifted
say plug
wait_for 60 "the camera's name" test -e "$WEBCAM"
[ "$(readlink -f "$WEBCAM")" != "$node" ] || fail "it is $node again"
wait_told 300 "$(answer_of plain) gone back $(answer_of shifted)"
stop_watch
note "$node, then $(readlink -f "$WEBCAM")"

# The same by its name: another plug of the cable.
start_watch "$WEBCAM" "${SMALL[@]}"
wait_told 300 "$(answer_of shifted)"
say unplug
wait_told 300 "$(answer_of shifted) gone"
say plug
wait_told 300 "$(answer_of shifted) gone back"
say show plain
wait_told 300 "$(answer_of shifted) gone back $(answer_of plain)"
stop_watch
