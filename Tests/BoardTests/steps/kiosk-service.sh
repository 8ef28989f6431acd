# shellcheck shell=bash
# The kiosk's service starts nothing without its file; with it and a webcam it takes the place of vl2.service, opens the camera
# as a user of group video, and tells what it sees.
trap end_cameras EXIT
is_inactive() { ! is_active; }
kiosk() { systemctl show --property "$1" --value vl2-kiosk.service; }
systemctl start vl2-kiosk.service
expect_equal "the kiosk's state without its file" inactive "$(kiosk ActiveState)"

start_webcam
cat >/etc/vl2/kiosk.yaml <<END
camera: $WEBCAM
size: 320x240
rate: 5
every: 5s
exec: cat >/run/vl2-kiosk/told
keep: {folder: /run/vl2-kiosk/frames, bytes: 5M, age: 1h}
questions:
  - {name: scene, ask: What is in the picture?, tell: always, max_tokens: 20}
END
start_service
systemctl start vl2-kiosk.service || { journalctl --no-pager --boot --unit vl2-kiosk.service --lines 20; fail "it did not start"; }
expect_equal "the kiosk's state" active "$(kiosk ActiveState)"
wait_for 60 "vl2.service ended" is_inactive
process=$(kiosk MainPID)
expect_equal "its user" vl2 "$(stat -c %U "/proc/$process")"
expect_match "its groups" "$(getent group video | cut -d: -f3)" "$(grep ^Groups: "/proc/$process/status")"

curl --silent --no-buffer --max-time 600 http://127.0.0.1:11434/live/events >"$WORK/events" &
reader=$!
wait_for 300 "an answer at /live/events" grep -q '"answer"' "$WORK/events"
kill "$reader" || true
note "$(grep -m 1 '"answer"' "$WORK/events")"
wait_for 60 "the answer on the command's input" test -s /run/vl2-kiosk/told
wait_for 60 "a frame that is kept" compgen -G '/run/vl2-kiosk/frames/vl2-*-1-scene.jpg'
curl --silent --fail --max-time 60 http://127.0.0.1:11434/kiosk >"$WORK/page"
expect_match "the page" "<html" "$(cat "$WORK/page")"

systemctl stop vl2-kiosk.service
expect_no_file /run/vl2-kiosk
rm /etc/vl2/kiosk.yaml
