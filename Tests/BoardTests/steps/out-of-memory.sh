# shellcheck shell=bash
# A process in the service's control group takes all memory that it may: the kernel kills, systemd starts the service again,
# and it answers.
drop_in MemoryMax=100M
systemctl restart vl2.service
before=$(of MainPID)
bash -c 'echo $$ >/sys/fs/cgroup/system.slice/vl2.service/cgroup.procs; exec tail /dev/zero' || true
wait_for 60 "a restart after the kill" has_restarted
wait_for 60 "the service active again" is_active
[ "$(of MainPID)" != "$before" ] || fail "the process is the one from before"
journalctl --no-pager --quiet --boot --unit vl2.service --lines 12 --output cat
journalctl --no-pager --quiet --boot --unit vl2.service --output cat | grep -E "oom-kill|OOM" >/dev/null ||
  fail "the journal does not speak of a kill for memory"
expect_answer star
