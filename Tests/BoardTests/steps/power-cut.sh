# shellcheck shell=bash
# The power goes while vl2-convert writes: the host kills the machine. What has to hold then, after-power-cut asks.
folder=/var/lib/vl2/packing
mkdir -p "$folder"
sync
vl2-convert pack "$BOARD/checkpoint" -o "$folder/cut.vl2q" --threads 1 &
packing=$!
written() { [ "$(stat -c %s "$folder/cut.vl2q.part" 2>/dev/null || echo 0)" -ge 1000000 ]; }
wait_for 60 "a first megabyte of the packed file" written
kill -0 "$packing" || fail "packing was over before the power could go"
expect_no_file "$folder/cut.vl2q"
touch "$CUT"                                # run.sh asks for the cut
