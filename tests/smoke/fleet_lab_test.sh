#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# tools/fleet-lab under load at the anycast address: a box leaves and comes back, a configuration rolls out, all boxes restart, and
# no query is lost; one box dies, and its share is lost until BFD says so. Each step of docs/how-to/fleet.md is done on the way.
#
# usage: fleet_lab_test.sh [RATE [SCENE...]]: queries a second, 60 % of them over UDP (default 2000), in quiet, drain, rollout,
# restarts, death (default: all)
. "$(dirname "$0")/fleet_lab_lib.sh"

rate=${1:-2000} scenes=" ${*:2} "
wanted() { [ "$scenes" = "  " ] || [[ $scenes == *" $1 "* ]] && echo "# $1"; }
next_hops() { there router ip route show $address4 | grep -o 'dev wt10[123]' | sort -u | wc -l; }
has_hops() { [ "$(next_hops)" = "$1" ]; }
both_hold() { held 2 && held 3; }
answers() { asks kdig +timeout=2 +retry=0 "@198.18.10$1.53" "$2" A | rcode_of; }
is() { [ "$(answers "$1" "$2")" = "$3" ]; }

# load TIMEOUT: UDP by dnsperf, half over each family, and the rest by fleet_load.py, until load_end
load() {
	began=$(now_ms)
	for address in $address4 $address6; do
		# no function, of which $! would be a shell
		nsenter --net=/run/netns/weir-fleet-client -- env --default-signal=INT dnsperf -s $address -d $tmp/names -c 30 -T 1 -q 5000 -Q $((rate * 3 / 10)) -l 3600 -t "$1" >$tmp/udp.$address 2>&1 &
		echo $! >$tmp/udp.$address.pid
	done
	mkfifo $tmp/load.in
	asks $python -B "$smoke_dir/rig/fleet_load.py" $((rate * 4 / 30)) 12 "$1" $address4 $address6 <$tmp/load.in >$tmp/streams 2>&1 &
	streams=$!
	exec 7>$tmp/load.in
	sleep 5
}
# load_end: sums in sent, lost, and $seconds; each kind is shown
load_end() {
	local address pid
	sleep 3
	seconds=$((($(now_ms) - began) / 1000))
	for address in $address4 $address6; do
		pid=$(cat $tmp/udp.$address.pid)
		kill -INT "$pid"
		wait "$pid"
	done
	exec 7>&-
	wait $streams
	rm $tmp/load.in
	udp_sent=$(cat $tmp/udp.*53 | awk '/Queries sent:/ { n += $3 } END { print n + 0 }')
	udp_lost=$(cat $tmp/udp.*53 | awk '/Queries lost:/ { n += $3 } END { print n + 0 }')
	tail -n 1 $tmp/streams >$tmp/streams.json
	stream_sent=$(jq '[.tcp, .dot, .doh | .sent] | add' $tmp/streams.json)
	stream_lost=$(jq '[.tcp, .dot, .doh | .lost] | add' $tmp/streams.json)
	echo "# $1: $seconds s, UDP $udp_sent sent, $udp_lost lost ($((udp_sent / seconds))/s); $(jq -c 'del(.losses)' $tmp/streams.json)"
	jq -c '.losses[:12][]' $tmp/streams.json | sed 's/^/# lost: /'
	crossed=$(jq '[.tcp, .dot, .doh | .crossed] | add' $tmp/streams.json)
	lost=$((udp_lost + stream_lost)) sent=$((udp_sent + stream_sent))
}
# no_loss WHAT
no_loss() {
	load_end "$1"
	check "$1: $((sent / seconds)) q/s" test $sent -gt $((rate * seconds * 8 / 10))
	same "$1: queries lost" 0 "$lost"
	check "$1: $crossed queries crossed an end of their connection" test $crossed -le $((stream_sent / 20000 + 1))
}

must "the fleet is up" fleet up
{ printf '%s.lab.example A\n' www many alias ads mail && printf 'n%s.wild.lab.example A\n' {1..500}; } | shuf --random-source=/dev/zero >$tmp/names
same "three next hops" 3 "$(next_hops)"
check "status says what runs" eval 'fleet status >$tmp/said && grep -q "box2 dataplane: runs" $tmp/said && grep -q "a primary with epoch 1" $tmp/said'

if wanted quiet; then # quiet
	load 5
	sleep 15
	no_loss "quiet"
fi

if wanted drain; then # a box leaves and comes back
	load 5
	must "box 2 drains" ctl 2 drain --wait
	check "the router has two next hops" has_hops 2
	must "box 2 is back" ctl 2 undrain
	check "in the router, too" eventually has_hops 3
	sleep 5
	no_loss "drain"
fi

if wanted rollout; then # a configuration rolls out
	load 5
	must "box 1 blocks a name" ctl 1 deny mail.lab.example
	must "it rolls out" eventually eval 'is 2 mail.lab.example NXDOMAIN && is 3 mail.lab.example NXDOMAIN'
	must "and is held" eventually both_hold
	no_loss "roll-out"
fi

if wanted restarts; then # all boxes restart, one after the other
	load 5
	for box in 3 2 1; do
		must "box $box drains" ctl $box drain --wait
		must "its data plane restarts" fleet restart box$box dataplane
		must "and its control plane" fleet restart box$box controlplane
		ctl $box undrain >/dev/null 2>&1 # the restart has ended it
		must "box $box serves" eventually serves $box anycast
		must "the router has it" eventually has_hops 3
	done
	no_loss "restarts"
fi

if wanted death; then # a box dies
	load 1
	before=$(now_ms)
	fleet cut box3 &
	cut=$!
	check "the router has two next hops" eventually has_hops 2
	after=$(now_ms)
	wait $cut
	sleep 3
	load_end "death"
	share=$((rate * 6 / 10 / 3))
	echo "# the routes: $((after - before)) ms; lost UDP queries are $((udp_lost * 1000 / share)) ms of the box's share over UDP"
	check "less than a second of its share over UDP" test $((udp_lost * 1000 / share)) -lt 1000
	check "and over connections, with one query of each at most" test $stream_lost -le $((rate * 4 / 10 / 3 + 24))
	must "the box boots" fleet mend box3
	must "and serves" eventually serves 3 anycast
	must "the router has it" eventually has_hops 3
fi
fleet_end
