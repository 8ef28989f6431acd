# shellcheck shell=bash
# The service is there, off, and shut in: nothing runs before somebody sets a model.
expect_equal "is-enabled" disabled "$(systemctl is-enabled vl2.service || true)"
expect_equal "is-active" inactive "$(systemctl is-active vl2.service || true)"
systemd-analyze verify --man=no vl2.service
systemd-analyze security --no-pager --threshold=15 vl2.service >"$WORK/security"
note "systemd-analyze security $(sed -n 's/.*exposure level for vl2.service: \([0-9.]*\).*/\1/p' "$WORK/security")"
