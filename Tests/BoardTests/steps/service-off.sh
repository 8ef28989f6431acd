# shellcheck shell=bash
# The services are there, off, and shut in: nothing runs before somebody sets a model.
for unit in vl2 vl2-kiosk; do
  expect_equal "is-enabled of $unit" disabled "$(systemctl is-enabled "$unit.service" || true)"
  expect_equal "is-active of $unit" inactive "$(systemctl is-active "$unit.service" || true)"
  systemd-analyze verify --man=no "$unit.service"
  systemd-analyze security --no-pager --threshold=15 "$unit.service" >"$WORK/security"
  note "systemd-analyze security $unit $(sed -n "s/.*exposure level for $unit.service: \([0-9.]*\).*/\1/p" "$WORK/security")"
done
