# shellcheck shell=bash
# Switched on for every boot.
no_drop_in
stop_service
systemctl enable --now vl2.service
expect_equal "is-enabled" enabled "$(systemctl is-enabled vl2.service)"
expect_answer star
