# shellcheck shell=bash
# After a boot the service answers with nobody logged in.
expect_equal "sessions" "" "$(loginctl list-sessions --no-legend 2>/dev/null || true)"
wait_for 60 "the service active" is_active
expect_equal "restarts" 0 "$(of NRestarts)"
expect_answer star
expect_answer sign
