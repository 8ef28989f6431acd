# shellcheck shell=bash
# vl2 doctor knows this machine: its kernels, its pages, its memory, and whether memory can be limited.
report=$(vl2 doctor)
echo "$report"
expect_match "doctor" "^page size +$(($(getconf PAGESIZE) / 1024)) KiB" "$report"
expect_match "doctor" "^cores +$(nproc)\b" "$report"
if grep -q asimddp /proc/cpuinfo; then wanted=dotprod; else wanted=neon; fi
expect_match "doctor" "^kernels +$wanted" "$report"
if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
  if grep -Eqi "no memory controller" <<<"$report"; then fail "doctor misses a memory controller that is there"; fi
else
  expect_match "doctor" "no memory controller" "$report"
  expect_match "doctor's advice" "take 'cgroup_disable=memory' off" "$report"
fi
# Nobody has turned the service on yet, and no limit of processors holds here, until one does.
expect_match "doctor" "^service +vl2.service is inactive, disabled" "$report"
expect_match "doctor" "^usable +$(nproc), which is the default" "$report"
expect_match "doctor" "^kernel +$(uname -r | cut -d+ -f1)" "$report"
one=$(taskset -c 0 vl2 doctor)
expect_match "doctor on one processor" "^usable +1, .*may run on 1 of $(nproc) processors" "$one"
half=$(systemd-run --quiet --pipe --wait -p CPUQuota=50% vl2 doctor)
expect_match "doctor with half a processor's time" "^usable +1, .*has the time of 0.5 processors" "$half"
note "$(grep -E '^(kernels|page size|memory|cgroup) ' <<<"$report" | sed 's/  */ /g; s/ (.*//' | paste -sd ';')"
