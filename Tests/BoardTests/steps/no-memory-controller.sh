# shellcheck shell=bash
# Where the system cannot limit memory (Raspberry Pi OS as it comes) the service runs all the same, limit or not.
if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then fail "there is a memory controller"; fi
drop_in MemoryMax=30M
systemctl restart vl2.service
expect_answer star
no_drop_in
