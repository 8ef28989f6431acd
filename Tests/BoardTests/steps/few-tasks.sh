# shellcheck shell=bash
# With fewer threads allowed than they need, the service and the program say so and end with a status of their own, at once:
# they neither hang nor crash.
stop_service
drop_in "TasksMax=$1"
mark
from=$SECONDS
if timeout 45 systemctl start vl2.service; then fail "it started with TasksMax=$1"; fi
took=$((SECONDS - from))
status=$(of ExecMainStatus)
stop_service
log=$(log_since_mark)
echo "$log"
[ "$took" -lt 30 ] || fail "it took $took s"
# One task is not enough for systemd to set the service up: it says so with a status of its own, before vl2 runs.
if [ "$1" -eq 1 ] && [ "$status" -ge 200 ] && [ "$status" -lt 250 ]; then
  expect_match "the journal" "Resource temporarily unavailable" "$log"
else
  expect_equal "the service's exit status" 69 "$status"
  expect_match "the journal" "vl2: .*thread" "$log"
fi
note "service: status $status after $took s"

from=$SECONDS status=0
systemd-run --quiet --pipe --wait --collect --property "TasksMax=$1" \
  vl2 ask --model /var/lib/vl2/pocket.vl2q /usr/share/vl2/pocket/demo.png "What colour is the star?" \
  >"$WORK/answer" 2>"$WORK/error" || status=$?
took=$((SECONDS - from))
cat "$WORK/answer" "$WORK/error"
expect_equal "vl2 ask's exit status" 69 "$status"
expect_match "its words" "vl2: .*thread" "$(cat "$WORK/error")"
note "vl2 ask: status $status after $took s"
