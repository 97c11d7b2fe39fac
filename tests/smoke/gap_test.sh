#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What clients lose when the data plane is restarted: nothing over AF_XDP, as the control plane answers meanwhile; over TAP
# what came in the gap. And how it ends when the interface of a port is deleted.
#
# To measure: WEIR_GAP='KIND:SIGNAL:RATE:RESTARTS ...' tests/smoke/gap_test.sh, with KIND tap, xdp or
# af_packet, prints the rows of rig/restart_load.py (docs/measurements/restart.md). WEIR_DATAPLANE: another build.
SMOKE_TIMEOUT=600
. "$(dirname "$0")/_init.sh"
dataplane=${WEIR_DATAPLANE:-$WEIR_BUILD/dataplane/weir-dataplane}
cases=${WEIR_GAP-xdp:TERM:1000:3 tap:TERM:1000:1}
ns=weir-client

upstream 5301 $tmp/up.log
# kind_up KIND: a lab whose client namespace stays while the data plane is away. A TAP interface stays too, and its data plane
# runs in the client namespace, where the driver finds it by its name.
kind_up() {
	into=()
	case $1 in
	xdp) "$lab" up --xdp --upstream 127.0.0.1:5301 ;;
	tap)
		into=(nsenter "--net=/run/netns/$ns" --)
		ip netns add $ns && lab_of net_tap0,iface=wt0,persist && ip link set wt0 netns $ns && client_up
		;;
	af_packet)
		ip netns add $ns && ip link add wt9 type veth peer name wt0 netns $ns && ip link set wt9 up && client_up &&
			lab_of net_af_packet0,iface=wt9
		;;
	esac
}
lab_of() { "$lab" up --port "$1" --upstream 127.0.0.1:5301; }
client_up() { ip -n $ns link set wt0 up && ip -n $ns addr add 198.18.0.2/24 dev wt0; }
kind_down() {
	"$lab" down && { [ ! -e /run/netns/$ns ] || ip netns del $ns; }
}
restarts() { # restarts KIND SIGNAL RATE RESTARTS
	local ready=serving:
	[ "$1" = xdp ] && ready='workers receive the queries'
	"$lab" stop dataplane || return
	$python "$smoke_dir/rig/restart_load.py" $service ok-3000.cached.test "$3" "$4" "$2" "$ready" \
		/run/weir/lab/dataplane.log ${into[@]+"${into[@]}"} "$dataplane" -c $config >$tmp/rows
}
removed() { # removed KIND: the data plane ends with status 1, and says why
	local status=0 port=wt0
	rm -f $tmp/removed.log
	[ "$1" = tap ] || port=weir0
	timeout 60 ${into[@]+"${into[@]}"} "$dataplane" -c $config >$tmp/removed.log 2>&1 &
	eventually grep -q serving: $tmp/removed.log && ${into[@]+"${into[@]}"} ip link del $port || return
	wait $! || status=$?
	[ $status = 1 ] && grep "port .*: its device was removed; the data plane ends" $tmp/removed.log
}
for case in $cases; do
	IFS=: read -r kind signal rate count <<<"$case"
	check "$kind: up" kind_up "$kind"
	check "$kind: $count restarts by SIG$signal at $rate queries a second: no wrong reply, none lost but in a restart" \
		restarts "$kind" "$signal" "$rate" "$count"
	sed 's/^/# /' $tmp/rows
	[ "$kind" != xdp ] || same "$kind: none lost" 0 "$(jq -s 'map(.lost // 0) | add' $tmp/rows)"
	[ -n "${WEIR_GAP-}" ] || check "$kind: it ends without its interface" removed "$kind"
	check "$kind: down" kind_down
done
finish
