#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Kill at every step with the real binaries: one of them is started with a fault point armed, dies there at its start or
# under traffic, and is started again. No answer may be wrong, and all that was cached must still be there.
# usage: fault_test.sh [PROCESS:SITE...]     default: a short set. WEIR_BUILD: a build with fault points
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl'
. "$(dirname "$0")/_init.sh"

sites=("$@")
[ $# -gt 0 ] || sites=(controlplane:{directory_incarnation_stored,l0_recover_retired,l0_switched,names_switched}
	controlplane:{config_slot_written,rings_attached_stored,link_welcome_sent,ring_after_tail,ring_after_head}
	controlplane:{l0_number_stored,l0_tag_stored,epoch_advanced}
	dataplane:{rings_offline_stored,marks_made,activate_tables_handed,activated_l0_stored,ring_header_written}
	dataplane:epoch_online_stored)

load() { client $python "$smoke_dir/fault_load.py" $service "$@"; }
runs() { # a zombie does not
	local pid
	pid=$(cut -d' ' -f1 "/run/weir/lab/$1.pid" 2>/dev/null) || return 1
	grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null
}

upstream 5301 $tmp/up.log
check "up" "$lab" up --upstream 127.0.0.1:5301
check "100 names are cached" load 1000 100 kept 30 all
asked() { up_log | awk '{print $4}' | grep -c kept; }
asked=$(asked)

# die PROCESS SITE ROUND: dies there, is started again, and all is well
die() {
	local process=$1 site=$2 round=$3 died
	"$lab" kill "$process" >/dev/null 2>&1
	WEIR_FAULT=$site:1 "$lab" start "$process" >/dev/null 2>&1
	died=no
	for _ in {1..60}; do
		runs "$process" || { died=yes; break; }
		load $((2000 + round * 10)) 10 new 0.4 || return 1
	done
	[ $died = yes ] || { echo "$process never came to $site"; return 1; }
	if [ "$process" = controlplane ]; then
		load 1000 100 kept 20 all || return 1 # as if nothing had happened
	fi
	"$lab" start "$process" || return 1
	load $((2000 + round * 10)) 10 new 30 all && load 1000 100 kept 20 all
}

round=0
for site in "${sites[@]}"; do
	check "dies at $site" die "${site%:*}" "${site#*:}" $((round++))
done
same "nothing cached was asked again" "$asked" "$(asked)"
"$lab" down >/dev/null
finish
