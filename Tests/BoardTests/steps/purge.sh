# shellcheck shell=bash
# Purging leaves nothing but the user: the same files as before the package came.
apt-get purge -y -qq vl2
apt-get autoremove --purge -y -qq
rm -f /etc/apt/sources.list.d/board.list
files >"$WORK/files-after"
diff "$WORK/files-before" "$WORK/files-after" >"$WORK/files-diff" || fail "files differ: $(cat "$WORK/files-diff")"
id vl2 || fail "the user is gone"
expect_equal "failed units" "" "$(systemctl --failed --no-legend)"
