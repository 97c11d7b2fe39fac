#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# bench_dataplane: refused where a network may be behind a port; reflects; answers right in between; says so.
. "$(dirname "$0")/_init.sh"

mkdir -p /run/weir/lab/state
config() { # config DEVICE
	cat <<CONFIG
runtime: {directory: /run/weir, state_directory: /run/weir/lab/state, hugepages: "off"}
dataplane:
  ports: [{device: "$1"}]
  service_addresses: [$service/24, "$service6/64"]
access: {allow: [any], unlimited: [any]}
cache: {l0_mb: 4}
local: {test_names: true}
blocking: {mode: "null", deny: [ads.lab.example]}
upstreams: {servers: [{address: "127.0.0.1:9"}]}
CONFIG
}
socket=/run/weir-memif.sock
dataplane=$WEIR_BUILD/tests/bench/dataplane/bench_dataplane
generator=$WEIR_BUILD/tools/loadgen/weir-loadgen
config "net_tap0,iface=wt0" >/run/weir/lab/tap.yaml
config "net_memif0,role=server,socket-abstract=no,socket=$socket,mac=02:00:00:00:00:53" >/run/weir/lab/weir.yaml

refused() { ! "$@" 2>$tmp/refused && grep -q "$pattern" $tmp/refused; }
pattern='bench-live-ports allows it' check "refused on a TAP port" refused "$dataplane" -c /run/weir/lab/tap.yaml --bench reflect
pattern=usage check "an unknown mode is refused" refused "$dataplane" -c /run/weir/lab/weir.yaml --bench fast
pattern=usage check "live ports alone say nothing" refused "$dataplane" -c /run/weir/lab/weir.yaml --bench-live-ports
check "1000 names are put into the cache" "$WEIR_BUILD/tests/bench/bench_fill" -c /run/weir/lab/weir.yaml -n 1000
# Nobody is served before it is known who may ask: a control plane says so, and leaves.
$controlplane -c /run/weir/lab/weir.yaml 2>/run/weir/lab/controlplane.log &
control=$!
check "a control plane says who may ask" eventually eval 'grep -q "rules: " /run/weir/lab/controlplane.log'
published() { [ "$(weirctl --json status | jq .controlplane.generations.policy)" -ge 1 ]; }
check "to the data plane" eventually published
kill $control
check "and ends well" wait $control

# Of this process, not what the one before left.
ready() { [ "$(weirctl --json status | jq ".dataplane | select(.pid == $1) | .l0_generation")" -ge 1 ]; }

# bench_run MODE LOADGEN_ARGS...: leaves load.json, report.json, log and the status while it ran. The server stops
# before the client leaves (DPDK 22.11).
bench_run() {
	local mode=$1 server client i
	shift
	rm -f $socket $tmp/hold
	mkfifo $tmp/hold
	: >$tmp/load.json
	"$dataplane" -c /run/weir/lab/weir.yaml --bench "$mode" >$tmp/report.out 2>/run/weir/lab/dataplane.log &
	server=$!
	for i in $(seq 600); do ready $server 2>/dev/null && memif_listens $socket && break; sleep 0.1; done
	"$generator" -d "net_memif0,role=client,socket-abstract=no,socket=$socket" -s $service,198.18.0.2 -s $service6,fd53::2 -l 0 \
		--corpus --reflected --stay "$@" <$tmp/hold >$tmp/load.json 2>$tmp/load.err &
	client=$!
	exec 9>$tmp/hold
	${meanwhile:-:} $server
	for i in $(seq 1200); do [ "$(wc -l <$tmp/load.json)" -ge "${lines:-1}" ] && break; kill -0 $client || break; sleep 0.1; done
	weirctl status >$tmp/status
	weirctl --json status >$tmp/status.json
	check "$mode: every frame has one verdict" verdicts_add_up
	cat $tmp/load.json $tmp/load.err
	kill $server
	check "$mode: the data plane ends well" wait $server
	exec 9>&-
	check "$mode: every reply was right, none is lost" wait $client
	grep '^{' $tmp/report.out >$tmp/report.json
	cat $tmp/report.json
}
load() { jq "$1" <$tmp/load.json; }
report() { jq "$1" <$tmp/report.json; }

bench_run reflect -t 1 --mac 02:00:00:00:00:53
same "reflect: nothing is answered" 0 "$(load .answered)"
check "reflect: all comes back" test "$(load .reflected)" -ge 100
same "reflect: the report is of that mode" '"reflect"' "$(report .bench)"
same "reflect: and has no answers" 0 "$(report .workers[0].answered.frames)"
check "reflect: the log says so" eventually grep -q 'bench mode: reflect' /run/weir/lab/dataplane.log

bench_run alternate -t 2
check "alternate: some is answered" test "$(load .answered)" -ge 100
check "alternate: some comes back" test "$(load .reflected)" -ge 100
check "alternate: both have cost cycles" test "$(report '.workers[0] | .answered.busy_cycles > 0 and .reflected.busy_cycles > 0')" = true
check "alternate: slices of 5 ms" test "$(report .workers[0].slices)" -ge 20
check "alternate: status says so" grep -q 'BENCH MODE (alternate)' $tmp/status
same "alternate: in JSON too" '"alternate"' "$(jq .dataplane.bench <$tmp/status.json)"

# An open loop goes on asking while nobody answers, so the wait of all these queries shows. Those of over 500 ms are
# asked again, and not timed.
stall() {
	for i in $(seq 600); do
		[ -s $tmp/load.json ] && break # over already, on a machine that hardly let it ask
		ready "$1" && [ "$(dp verdict hit)" -ge 200 ] && break
		sleep 0.1
	done
	stop "$1"
	sleep 0.4
	kill -CONT "$1"
}
first() { head -n 1 $tmp/load.json | jq "$1"; }
stall_shows() { [ "$(first '[.answer_longest_ns, .reflect_longest_ns] | max > 1e8')" = true ]; }
# On a machine that hardly let it ask the load may be over before the stall begins: then once more.
for turn in 1 2 3; do
	lines=4 meanwhile=stall bench_run alternate -t 4 --rate 2000 --loads 1
	stall_shows && break
done
check "open loop: the stall of the other side shows" stall_shows
check "open loop: half of the replies came before or after it" test \
	"$(first '.answer_p50_ns < ([.answer_longest_ns, .reflect_longest_ns] | max) / 2')" = true
same "open loop: the rate that was asked for" 2000 "$(first .rate)"
same "loads: three parts of what was reached" "25 50 75" "$(jq -r 'select(.percent) | .percent' <$tmp/load.json | xargs)"
finish
