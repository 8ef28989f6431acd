# shellcheck shell=bash
# Without settings of a model the service takes the only one in /var/lib/vl2; where there are two it says so and does not
# guess.
stop_service
cp -a /etc/vl2/serve.env "$WORK/serve.env"
trap 'rm -f /var/lib/vl2/second.vl2q; cp -a "$WORK/serve.env" /etc/vl2/serve.env' EXIT
sed -i '/^VL2_MODEL=/d' /etc/vl2/serve.env
start_service
expect_answer star
stop_service
cp /var/lib/vl2/pocket.vl2q /var/lib/vl2/second.vl2q
mark
if timeout 60 systemctl start vl2.service; then fail "it started, with two models and none named"; fi
log=$(log_since_mark)
echo "$log"
expect_equal "the service's state" failed "$(of ActiveState)"
expect_match "the journal" "second\.vl2q|more than one|two|2 " "$log"
note "two models: status $(of ExecMainStatus), $(grep -Ei 'vl2:' <<<"$log" | head -n 1)"
