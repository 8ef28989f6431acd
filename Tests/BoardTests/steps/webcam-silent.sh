# shellcheck shell=bash
# A webcam that hangs, freezes, or gives frames that are torn or that its driver marks as broken: an event each, no answer.
trap end_cameras EXIT
start_webcam
start_watch "$WEBCAM" "${SMALL[@]}" "hung_after: 10s" "frozen_after: 10s"
sofar=$(answer_of plain)
wait_told 300 "$sofar"
for trouble in hang:hung freeze:frozen tear:hung mark:hung; do
  say "${trouble%:*}"
  wait_told 300 "$sofar ${trouble#*:}"
  say go
  wait_told 300 "$sofar ${trouble#*:} back"
  sofar="$sofar ${trouble#*:} back"
done
say show shifted
wait_told 300 "$sofar $(answer_of shifted)"
stop_watch
[ "$(in_the_end broken)" -gt 0 ] || fail "no broken frame was counted"
note "$(in_the_end frames) frames, $(in_the_end broken) broken"
