#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A second port that plays a capture as fast as the worker takes frames (net_pcap): garbage without end, and one query from
# each of many addresses. What honest clients get meanwhile, what is counted, and that memory is flat. Its long form:
# tools/chaos garbage.
. "$(dirname "${BASH_SOURCE[0]}")/_options.sh"
seconds=2 clients=20000 seed=1
options 'seconds clients seed' "$@"
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

load() { # load VERB WHAT
	env strict="${strict-}" $python "$smoke_dir/rig/garbage_load.py" "$WEIR_BUILD/tools/ctl/weirctl" $config $tmp/up.log \
		"$seconds" "$clients" "$seed" "$@"
}
# A data plane whose second port plays it: DEVICE_ARGUMENTS
play() {
	"$lab" stop dataplane
	sed -i '/net_pcap/d; /of the captures/d' $config
	sed -i "s|^  service_addresses:|    - device: \"net_pcap0,rx_pcap=$1\"\n      macs: [\"02:00:00:00:fe:53\"] # of the captures\n&|" $config
	weirctl config reload >/dev/null && "$lab" start dataplane && client ip link set wt0 txqueuelen 10000
}
measured() {
	client env strict="${strict-}" turn="$2" $python "$smoke_dir/rig/garbage_load.py" "$WEIR_BUILD/tools/ctl/weirctl" $config $tmp/up.log \
		"$seconds" "$clients" "$seed" phase "$1"
}
# A short phase on a machine with other things to do can be delayed by other programs; a fault of weir shows each of three times.
is_sound() {
	local turn
	for turn in 1 2 3; do
		measured "$1" "$turn" && return 0
		[ -z "${strict-}" ] && [ "$turn" -lt 3 ] || return 1
		echo "once more"
		play "$2" || return 1
	done
}
# phase NAME DEVICE_ARGUMENTS: those that play now. Not through check, so that the line of JSON is seen.
phase() {
	checks=$((checks + 1))
	if is_sound "$1" "$2"; then
		echo "ok $checks - $1"
	else
		echo "not ok $checks - $1" && bad=$((bad + 1))
	fi
	check "$1: every frame has one verdict" verdicts_add_up
	[ "$1" = garbage ] || check "$1: as many as the ports counted" ports_add_up # they are read once a second
}

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
# The default limits; clients outside of the lab have a rate.
sed -i '/^limits:/d; /^access:/,/^[a-z]/{/^access:/d;/^ /d}' $config
echo 'access: {allow: [any], unlimited: [198.18.0.0/15, "fd53::/48"]}' >>$config
check "its configuration" taken_over weirctl config reload
check "captures" load write $tmp
check "a port that brings one frame" play $tmp/one.pcap
phase one $tmp/one.pcap
check "a port that brings garbage" play $tmp/garbage.pcap,infinite_rx=1
phase garbage $tmp/garbage.pcap,infinite_rx=1
check "a port that brings $clients clients" play $tmp/clients.pcap
phase clients $tmp/clients.pcap
if [ -n "${strict-}" ]; then
	check "and once more" play $tmp/clients.pcap
	phase again $tmp/clients.pcap
fi
same "it still answers" 198.18.200.1 "$(short ok.after.test A)"
finish
