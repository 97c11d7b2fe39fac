#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Several upstreams: a dead first server, checks, latency, drain, a port where nobody listens.
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
. "$(dirname "$0")/_init.sh"

upstream 5302 $tmp/up2.log
lab_up
cp $config $tmp/plain.yaml
servers() { # servers KEYS [PORT...]: the lab's configuration with these
	local keys=$1 list= port
	shift
	for port; do list+="{address: '127.0.0.1:$port', name: up$port}, "; done
	{
		sed '/^upstreams:/,/^[^ ]/{/^upstreams:/d;/^ /d}' $tmp/plain.yaml
		echo "upstreams: {servers: [${list%, }], $keys}"
	} >$config
	weirctl config reload
}
of() { weirctl --json upstreams | jq -r ".upstreams[] | select(.name == \"$1\") | $2"; } # of SERVER FIELD
is() { [ "$(of "$1" "$2")" = "$3" ]; }
clients() { up_log "$1" | grep -c "$2"; } # queries of clients for names with TEXT

check "two servers, failover" servers 'policy: failover' 5301 5302
same "both are there" "up5301 up5302" "$(weirctl --json upstreams | jq -r '[.upstreams[].name] | join(" ")')"
same "the first one answers" 198.18.200.1 "$(short ok.first.test A)"
same "and alone" 0 "$(clients $tmp/up2.log first.test)"
check "for a person too" grep -qE '^ *everyone +up5301 +127.0.0.1:5301 +up ' <<<"$(weirctl upstreams)"

touch $tmp/up.log.down
for i in 1 2 3 4 5 6 7 8; do resolves ok.dead-$i.test; done
check "the first one is down" eventually is up5301 .state down
same "the second one answers" 198.18.200.1 "$(short ok.dead-9.test A)"
check "status says so among the problems, with what to do" eval 'weirctl status | sed "1,/^PROBLEMS/d" | grep -A1 "^  warning: 1 of 2 upstreams is down" | grep -q "^    .*weirctl upstreams"'
timeouts=$(of up5301 .timeouts)
check "not one wait for each name ($timeouts)" test "$timeouts" -ge 1 -a "$timeouts" -lt 8
asked=$(clients $tmp/up.log dead-)
checks_failed() { [ "$(of up5301 .checks_failed)" -ge 3 ]; }
check "it is checked" eventually checks_failed
for i in 1 2 3 4 5; do resolves ok.dead-later-$i.test; done
same "no more questions for it" "$asked" "$(clients $tmp/up.log dead-)"
same "no SERVFAIL, as status says" 0 "$(weirctl --json stats --interval 0 | jq .controlplane.resolver.servfail)"
check "logged" grep -q 'upstream up5301 does not answer' /run/weir/lab/controlplane.log
rm $tmp/up.log.down
check "a check finds it again" eventually is up5301 .state up
same "and it is the first" 198.18.200.1 "$(short ok.again.test A)"
check "that is asked" test "$(clients $tmp/up.log again.test)" -ge 1

check "test: it answers" weirctl upstream test up5301
same "by UDP and TCP" "NOERROR NOERROR" \
	"$(weirctl --json upstream test 127.0.0.1:5301 | jq -r '[.udp.rcode, .tcp.rcode] | join(" ")')"
touch $tmp/up2.log.down
same "test: no reply, exit status 1" 1 "$(weirctl upstream test up5302 >$tmp/test; echo $?)"
check "said" grep -q 'UDP: no reply' $tmp/test
rm $tmp/up2.log.down
same "test: no such server" 1 "$(weirctl upstream test up9 2>&1 | grep -c 'no server "up9"')"
check "one whose name is near" eval 'weirctl upstream test up531 2>&1 | grep -qF "did you mean \"up5301\"?"'
check "back" eventually is up5302 .state up

check "drain" weirctl upstream drain up5301
same "drained" drained "$(of up5301 .state)"
same "the other one answers" 198.18.200.1 "$(short ok.drained.test A)"
same "no question" 0 "$(clients $tmp/up.log ok.drained.test)"
check "a reload" servers 'policy: failover, max_sends: 5' 5301 5302
same "leaves it drained" drained "$(of up5301 .state)"
check "undrain" weirctl upstream undrain up5301
same "the first one again" 198.18.200.1 "$(short ok.undrained.test A)"
check "is asked" test "$(clients $tmp/up.log undrained.test)" -ge 1
check "drained, and the control plane started again" weirctl upstream drain up5301
"$lab" kill controlplane >/dev/null
check "started" "$lab" start controlplane
check "it is not drained" eventually is up5301 .state up

check "nobody listens at the first port" servers 'policy: failover, first_timeout_ms: 1500, check: off' 5309 5302
same "an answer" 198.18.200.1 "$(short ok.refused.test A)"
refused() { test "$(of up5309 .refused)" -ge 1; }
check "refused" eventually refused

check "latency" servers 'policy: latency, check: all' 5301 5302
known() { test "$(of up5301 .srtt_us)" -gt 0; }
check "both are known" eventually known
for i in $(seq 100); do resolves ok.latency-$i.test; done
share=$(of up5301 .share_percent)
check "shares add up" test $((share + $(of up5302 .share_percent))) -ge 99
check "round robin" servers 'policy: round-robin, check: all' 5301 5302
before=$(clients $tmp/up.log turn-) before2=$(clients $tmp/up2.log turn-)
for i in $(seq 40); do resolves ok.turn-$i.test; done
turns=$(($(clients $tmp/up.log turn-) - before)) turns2=$(($(clients $tmp/up2.log turn-) - before2))
check "by turns ($turns, $turns2)" test $turns -ge 10 -a $turns2 -ge 10
if judges_speed; then
	check "half each" test $turns -ge 17 -a $turns2 -ge 17
fi
check "race" servers 'race: 2' 5301 5302
same "an answer" 198.18.200.1 "$(short ok.race.test A)"
check "both were asked" test "$(clients $tmp/up.log race.test)" -ge 1 -a "$(clients $tmp/up2.log race.test)" -ge 1
check "metrics" grep -q 'weir_upstream_checks_total{upstream="up5301"' <<<"$(weirctl metrics)"
finish
