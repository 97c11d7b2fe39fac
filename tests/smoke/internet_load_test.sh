#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Recursion and validation of zones that make work: colliding keys, hashes of long names, chains of aliases, servers without
# addresses. The control plane's CPU time for a question is bounded, and others have their answers meanwhile.
. "$(dirname "$0")/_init.sh"
. "$smoke_dir/rig/internet.sh"

check "zones" $python "$smoke_dir/rig/internet_make.py" $zones load
check "their servers" servers_start 1 2 3 4 6 7
lab_up
cp $config $tmp/plain.yaml
check "from the root" settings "mode: recursive"

load() { client $python "$smoke_dir/rig/internet_load.py" $service www.ok13.gamma. plain.gamma. 2 "$@" >$tmp/load.json; }
cpu_ms() { awk '{ print ($14 + $15) * 10 }' /proc/$(pid controlplane)/stat; }
load_has() { jq -e "$1" $tmp/load.json || { cat $tmp/load.json && return 1; }; }
for attack in "" keytrap hashes chain dnames nxns; do
	before=$(cpu_ms)
	load ${attack:+$attack 30}
	spent=$(($(cpu_ms) - before))
	echo "${attack:-quiet}: $(cat $tmp/load.json), $spent ms of CPU"
	check "${attack:-quiet}: cached names" load_has '.cached_ms < 50'
	check "${attack:-quiet}: others" load_has '.miss_ms < 1000'
	[ -z "$attack" ] || check "$attack: work of a question" load_has "$spent < .attacks * 40 and .answers * 10 >= .attacks * 9"
done
internet_stop
finish
