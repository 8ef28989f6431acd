# shellcheck shell=bash
# A USB webcam gives frames in this format, and they are answered as the same pictures are on amd64; what keeps vl2 from it is
# said.
trap end_cameras EXIT
start_webcam
list=$("${AS_NOBODY[@]}" --groups=video vl2 watch --list)
echo "$list"
expect_match "the list" "^$(readlink -f "$WEBCAM")  Test camera" "$list"
expect_match "the list" "^  $WEBCAM$" "$list"
expect_match "the list" "^  mjpeg: 320x240 at 10, 5; 640x480 at 10, 5$" "$list"
expect_match "the list" "^  yuyv: 320x240 at 10, 5; 640x480 at 10, 5$" "$list"

ask() { vl2 watch --model /usr/share/vl2/pocket/pocket.vl2q "$@" "What is it?"; }
status=0
said=$("${AS_NOBODY[@]}" --clear-groups vl2 watch --model /usr/share/vl2/pocket/pocket.vl2q "$WEBCAM" "What is it?" 2>&1) ||
  status=$?
expect_equal "the exit status without group video" 66 "$status"
expect_match "what is said without group video" "permission denied; .*usermod -aG video" "$said"
# The second node of a webcam is for its metadata.
status=0
said=$(ask "${WEBCAM/index0/index1}" 2>&1) || status=$?
expect_equal "the exit status for its second node" 64 "$status"
expect_match "what is said of its second node" "it gives no pictures" "$said"

# Raw pictures are many bytes for an emulated machine.
start_watch "$WEBCAM" "format: $1" "size: $([ "$1" = yuyv ] && echo 320x240 || echo 640x480)"
wait_told 300 "$(answer_of plain)"
status=0
said=$(ask "$WEBCAM" 2>&1) || status=$?
expect_equal "the exit status while another one looks" 75 "$status"
expect_match "what is said then" "another program is using it" "$said"
say show shifted
wait_told 300 "$(answer_of plain) $(answer_of shifted)"
stop_watch
expect_equal "what was told" "$(answer_of plain) $(answer_of shifted) ended" "$(told)"
note "$(in_the_end frames) frames, $(in_the_end broken) broken, $(in_the_end dropped) dropped"
