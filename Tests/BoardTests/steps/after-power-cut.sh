# shellcheck shell=bash
# After a power cut there is no half file under the name that was asked for; packing goes on and gives
# what packing without a break gives on amd64.
folder=/var/lib/vl2/packing
kernel_log=$(journalctl --no-pager --quiet --boot --dmesg --output cat | grep EXT4-fs)
expect_match "the kernel's log" "vda.*recovery complete" "$kernel_log"      # so there was a cut
if grep -E "error|warning" <<<"$kernel_log"; then fail "the kernel found the file system damaged"; fi
expect_no_file "$folder/cut.vl2q"
note "left: $(cd "$folder" && stat -c '%n %s bytes' -- * 2>/dev/null | paste -sd ',')"
vl2-convert pack "$BOARD/checkpoint" -o "$folder/cut.vl2q" --resume
vl2-convert verify "$folder/cut.vl2q"
expect_no_file "$folder/cut.vl2q.part" "$folder/cut.vl2q.part.journal"
# Sections as they were before compression: another libzstd compresses to other bytes.
"$BOARD/sections.sh" vl2-convert "$folder/cut.vl2q" >"$WORK/sections"
diff "$BOARD/sections" "$WORK/sections"
rm -r "$folder"
# The service was enabled, and the power did not ask.
wait_for 60 "the service active" is_active
expect_answer star
