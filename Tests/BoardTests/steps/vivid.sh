# shellcheck shell=bash
# The kernel's camera for tests, by one of the two interfaces that drivers have; with the errors that it can be made to give.
trap end_cameras EXIT
load_vivid "$1"
node=$(grep -lx vivid-000-vid-cap /sys/class/video4linux/*/name | sed 's,.*/\(video[0-9]*\)/name,/dev/\1,')
list=$(vl2 watch --list)
echo "$list"
expect_match "the list" "^$node  vivid" "$list"
control() { "${PYTHON[@]}" "$BOARD/control.py" "$node" "$@"; }
answers() { grep -c '"answer"' "$WORK/watch.out" || true; }
has_more() { [ "$(answers)" -ge $(($1 + 2)) ]; }
for format in nv12 yuyv; do
  TELL=always start_watch "$node" "format: $format" "size: 320x180" "every: 1s"
  wait_for 300 "answers" has_more 0
  # A frame that its driver marks, and frames that are lost, are no reason to stop.
  control "Inject V4L2_BUF_FLAG_ERROR" 0
  control "Percentage of Dropped Buffers" 50
  wait_for 300 "more answers" has_more "$(answers)"
  control "Percentage of Dropped Buffers" 0
  wait_events 30 ""
  control "Inject VIDIOC_QBUF Error" 0
  wait_events 300 "gone back"
  # The first start after it fails too.
  control "Inject VIDIOC_STREAMON Error" 0
  control "Inject Fatal Streaming Error" 0
  wait_events 300 "gone back gone back"
  control Disconnect 0
  wait_events 300 "gone back gone back gone"
  no_vivid
  load_vivid "$1"
  wait_events 300 "gone back gone back gone back"
  wait_for 300 "answers after all that" has_more "$(answers)"
  stop_watch
  [ "$(in_the_end broken)" -gt 0 ] || fail "no broken frame was counted"
  note "$format: $(in_the_end frames) frames, $(in_the_end broken) broken"
done
note "$(grep '"gone"' "$WORK/watch.out" | sed 's/.*"message": *"\([^"]*\)".*/\1/' | paste -sd ';')"
