# shellcheck shell=bash
# With a model in its folder and settings in its file the service starts, says when it is ready, and answers over HTTP.
install -m 644 -D /usr/share/vl2/pocket/pocket.vl2q /var/lib/vl2/pocket.vl2q
cat "$BOARD/serve.env" >>/etc/vl2/serve.env
from=$(cut -d ' ' -f 1 /proc/uptime)
start_service
note "ready after $(awk -v from="$from" '{ printf "%.1f", $1 - from }' /proc/uptime) s"
expect_equal "its user" vl2 "$(ps -o user= -p "$(of MainPID)" 2>/dev/null || stat -c %U "/proc/$(of MainPID)")"
expect_equal "its type" notify "$(of Type)"
expect_answer star
expect_answer sign
