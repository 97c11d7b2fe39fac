#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Forged replies of an upstream server that weir asks through the port, to each of its local ports: a second port plays them as
# fast as the worker takes frames (net_pcap), over a million a second on an idle machine. weir accepts none, and clients do
# not notice. Its long form: tools/chaos forged.
. "$(dirname "${BASH_SOURCE[0]}")/_options.sh"
seconds=5 rate=20000 seed=1
options 'seconds rate seed' "$@"
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

load() { # load VERB WHAT
	client env strict="${strict-}" ${apart:+taskset -c "$rest"} $python "$smoke_dir/rig/forged_load.py" "$WEIR_BUILD/tools/ctl/weirctl" $config $tmp/up.log \
		"$seconds" "$rate" "$seed" "$@"
}
# A worker takes frames all the time, so it has a CPU of its own, as a box in service gives it. The times of clients are
# measured beside it, on the other CPUs.
cpus=($(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }'))
rest=$(IFS=,; echo "${cpus[*]:1}")
worker_apart() {
	local process comm
	for process in $(pgrep -P $$); do taskset -acp "$rest" "$process" 2>/dev/null; done # some end meanwhile
	for process in $$ $(pid dataplane) $(pid controlplane); do
		taskset -acp "$rest" "$process" || return
	done
	comm=$(grep -l worker /proc/$(pid dataplane)/task/*/comm | head -n 1) && taskset -cp "${cpus[0]}" "$(cut -d/ -f5 <<<"$comm")"
}
apart=${strict:+${cpus[1]:+yes}}
# A data plane whose second port plays it: DEVICE_ARGUMENTS. With the driver's infinite_rx each frame of the capture lies in a
# packet buffer of its own.
play() {
	"$lab" stop dataplane
	sed -i '/net_pcap/d; /of the captures/d' $config
	sed -i "s|^  service_addresses:|    - device: \"net_pcap0,rx_pcap=$1\"\n      macs: [\"02:00:00:00:fe:53\"] # of the captures\n&|" $config
	weirctl config reload >/dev/null && "$lab" start dataplane && client ip link set wt0 txqueuelen 10000 && eventually by_port || return
	[ -z "$apart" ] || worker_apart
}
# Not through check, so that the line of JSON is seen.
phase() { # phase NAME
	checks=$((checks + 1))
	if load phase "$1"; then
		echo "ok $checks - $1"
	else
		echo "not ok $checks - $1" && bad=$((bad + 1))
	fi
	check "$1: every frame has one verdict" verdicts_add_up
}
must "up" lab_by_port $tmp/up.log
# The shipped limits, and buffers for the captures.
sed -i "/^limits:/d; s/memory_mb: .*/memory_mb: 512/; s/^  poll: /  mbufs: 65535\n&/" $config
check "the shipped limits" taken_over weirctl config reload
check "captures" load write $tmp
check "a port that brings one reply" play $tmp/one.pcap
phase quiet
check "a port that brings forged replies" play $tmp/forged.pcap,infinite_rx=1
phase forged
same "it still answers" 198.18.200.1 "$(short ok.after.test A)"
finish
