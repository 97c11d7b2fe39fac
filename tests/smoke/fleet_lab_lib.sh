# SPDX-License-Identifier: BSD-3-Clause
# Sourced by tests of tools/fleet-lab, in place of _init.sh.
. "$(dirname "$0")/_init.sh"
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
unset WEIR_CLOCK # a clock of all boxes would leap in all of them, and what is in flight would time out

fleet() { "$root/tools/fleet-lab" "$@" 7>&-; } # what it starts would keep the load's standard input open
address4=198.18.100.53 address6=fd53:0:0:100::53
there() { fleet sh "$@"; }
ctl() { local box=$1 && shift && there box$box weirctl "$@"; }
asks() { nsenter --net=/run/netns/weir-fleet-client -- "$@"; }
fleet_end() {
	[ $bad = 0 ] || tail -n 8 /run/weir-fleet/*.log /run/weir-10[123]/lab/{controlplane,dataplane}.log
	fleet down >/dev/null
	finish
}
must() {
	local was=$bad
	check "$@"
	[ $bad = "$was" ] || fleet_end
}
held() { ctl 1 --json fleet status | jq -e --arg box "box$1" 'any(.primary.boxes[]; .name == $box and .current and .result == "held")'; }
serves() { ctl "$1" --json ready --for "$2"; }
