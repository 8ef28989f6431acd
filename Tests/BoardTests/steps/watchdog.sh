# shellcheck shell=bash
# A service that hangs (stopped by SIGSTOP) is ended by systemd's watchdog and started again.
stop_service
drop_in WatchdogSec=6 TimeoutAbortSec=10
start_service
expect_answer star
before=$(of MainPID)
kill -STOP "$before"
wait_for 60 "a restart by the watchdog" has_restarted
wait_for 60 "the service active again" is_active
[ "$(of MainPID)" != "$before" ] || fail "the process is the one from before"
journalctl --no-pager --quiet --boot --unit vl2.service --output cat | grep -i "watchdog timeout" >/dev/null ||
  fail "the journal does not speak of the watchdog"
expect_answer star
