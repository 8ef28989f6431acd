# shellcheck shell=bash
# Without a model the service says what to do, and systemd does not try again and again.
mark
if timeout 60 systemctl start vl2.service; then fail "the service started without a model"; fi
log=$(log_since_mark)
echo "$log"
# One that is to be restarted is activating already while systemd waits.
expect_equal "the service's state" failed "$(of ActiveState)"
expect_equal "restarts" 0 "$(of NRestarts)"
expect_match "the journal" "serve\.env|VL2_MODEL|/var/lib/vl2|--model" "$log"
note "status $(of ExecMainStatus): $(grep -Ei 'model' <<<"$log" | head -n 1)"
