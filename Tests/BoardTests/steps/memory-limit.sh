# shellcheck shell=bash
# Under this limit of memory the service comes up at once and answers, and is not killed.
stop_service
drop_in "MemoryMax=$1"
# Pages of files count where they are read first: all have to be read again, by the service.
sync
echo 3 >/proc/sys/vm/drop_caches
mark
systemctl start vl2.service
wait_for 60 "the service active" is_active
group=/sys/fs/cgroup/system.slice/vl2.service
expect_equal "the limit in force" "$(numfmt --from=iec "$1")" "$(cat "$group/memory.max")"
expect_answer star
expect_answer sign
expect_equal "kills for memory" 0 "$(sed -n 's/^oom_kill //p' "$group/memory.events")"
expect_equal "restarts" 0 "$(of NRestarts)"
note "peak $(awk '{ printf "%.1f", $1 / 1048576 }' "$group/memory.peak") MiB"
