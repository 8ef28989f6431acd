# shellcheck shell=bash
# From a lower version to this one while the service runs: settings and models stay, the service is started again, answers.
apt_install "$BOARD/vl2-lower.deb"
sum=$(sha256sum /etc/vl2/serve.env /var/lib/vl2/pocket.vl2q)
systemctl enable --now vl2.service
expect_answer star
before=$(of MainPID)
apt_install "$BOARD/vl2.deb"
expect_equal "the version" "$(dpkg-deb -f "$BOARD/vl2.deb" Version)" "$(dpkg-query -W -f '${Version}' vl2)"
expect_equal "settings and model" "$sum" "$(sha256sum /etc/vl2/serve.env /var/lib/vl2/pocket.vl2q)"
expect_equal "is-enabled" enabled "$(systemctl is-enabled vl2.service)"
wait_for 60 "the service active" is_active
[ "$(of MainPID)" != "$before" ] || fail "the old program still runs"
expect_answer star
note "$(dpkg-deb -f "$BOARD/vl2-lower.deb" Version) to $(dpkg-query -W -f '${Version}' vl2)"
