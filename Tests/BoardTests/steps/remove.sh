# shellcheck shell=bash
# Removing the package ends the service and keeps settings and models.
systemctl start vl2.service
apt-get remove -y -qq vl2
expect_no_file /usr/bin/vl2 /usr/bin/vl2-convert /usr/lib/systemd/system/vl2.service \
  /etc/systemd/system/multi-user.target.wants/vl2.service
expect_file /etc/vl2/serve.env /var/lib/vl2/pocket.vl2q
if curl --silent --max-time 5 http://127.0.0.1:11434/health; then fail "something still answers"; fi
