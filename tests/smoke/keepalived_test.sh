#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One address that keepalived moves between two boxes on one bridge, by the shipped example: who answers ARP and neighbour
# solicitations, what clients see when the master is drained, and when its data plane is killed.
. "$(dirname "$0")/_init.sh"
command -v keepalived >/dev/null || { echo "skipped: no keepalived"; exit 77; }

shared=198.18.0.53 shared6=fd53::53
ctl() { local number=$1 && shift && "$WEIR_BUILD/tools/ctl/weirctl" -c "/run/weir-$number/lab/weir.yaml" "$@"; }
in_box() { nsenter --net=/run/netns/box"$1" -- "${@:2}"; }
lan() { nsenter --net=/run/netns/lan -- "$@"; }
box_lab() { in_box "$1" "$lab" --name "$@"; } # box_lab BOX COMMAND...
# The port of a box that has just started goes to the bridge.
plug() {
	local port=wt$1
	in_box "$1" nsenter --net=/run/netns/weir-client-"$1" -- ip link set "$port" netns /run/netns/lan &&
		lan ip link set "$port" master br0 up
}
end() {
	[ $bad = 0 ] || tail -n 20 $tmp/keepalived.* /run/weir-[12]/lab/*.log
	touch $tmp/stop
	kill ${keepalived[@]} 2>/dev/null
	for number in 1 2; do box_lab $number down >/dev/null; done
	finish
}
must() { # as that of _init.sh, with the logs of both boxes
	local was=$bad
	check "$@"
	[ $bad = "$was" ] || end
}

keepalived=()
ip netns add lan && lan ip link add br0 type bridge && lan ip link set br0 up && lan ip address add 198.18.0.2/24 dev br0 &&
	lan ip address add fd53::2/64 dev br0 nodad || exit 1
box_begins() { # box_begins BOX: with an own address beside the one that moves
	ip netns add box"$1" && in_box "$1" ip link set lo up || return
	in_box "$1" $python "$root/tests/lab/upstream.py" 5301 $tmp/up.log &
	box_lab "$1" up --upstream 127.0.0.1:5301 --dot --service "198.18.0.1$1/24" --service "fd53::1$1/64" \
		--virtual $shared/24 $shared6/64 && plug "$1"
}
for number in 1 2; do must "box $number is up" box_begins $number; done

keepalived_begins() {
	local conf=/run/weir-$1/lab/keepalived.conf
	sed -i "s|rise 10|rise 2|" "$conf"
	in_box "$1" keepalived --dont-fork --log-console --log-detail --vrrp --use-file "$conf" --pid $tmp/keepalived.pid."$1" \
		--vrrp_pid $tmp/vrrp.pid."$1" >$tmp/keepalived.log."$1" 2>&1 &
	keepalived+=($!)
}
has() { [ "$(in_box "$1" ip -o address show dev weir"$1" | grep -cE "inet6? ($shared|$shared6)/")" = 2 ]; }
has_none() { [ "$(in_box "$1" ip -o address show dev weir"$1" | grep -cE "inet6? ($shared|$shared6)/")" = 0 ]; }
mac_of() { in_box "$1" ip -json link show weir"$1" | jq -r '.[0].address'; }
arp() { lan arping -b -c 2 -w 2 -I br0 "$1" | sed -n 's/.*\[\(.*\)\].*/\L\1/p' | sort -u; }
nd() { lan ndisc6 -m -n -w 1000 "$1" br0 | sed -n 's/.*link-layer address: *\(.*\)/\L\1/p' | sort -u; }
owner() { echo "$(arp $shared) $(nd $shared6 | tr '\n' ' ')"; }
are_of() { has "$1" && has_none "$2"; }

same "without keepalived nobody answers ARP for it" "" "$(arp $shared)"
same "nor neighbour solicitations" "" "$(nd $shared6)"
same "each answers for its own" "$(mac_of 1) $(mac_of 2)" "$(arp 198.18.0.11) $(arp 198.18.0.12)"
in_box 1 ip address add $shared/24 dev weir1 # as left by a killed keepalived, or by a weir that had it for its own
keepalived_begins 1
must "box 1 takes the addresses" eventually has 1
keepalived_begins 2
sleep 3
check "box 2 leaves them there" are_of 1 2
same "one box answers" "$(mac_of 1) $(mac_of 1) " "$(owner)"

. "$smoke_dir/moved_load.sh"
load() { moved_load $shared $shared6 test; }

echo "# the master is drained"
load
check "box 1 drains" ctl 1 drain --grace 1 --wait
must "box 2 takes the addresses" eventually are_of 2 1
must "clients go on" load_ends
sed 's/^/# /' $tmp/load
same "none lost a query" 0 "$(most .lost)"
same "one box answers" "$(mac_of 2) $(mac_of 2) " "$(owner)"
check "box 1 is back" ctl 1 undrain
sleep 5 # its priority is that of the other again
check "and leaves the addresses where they are" are_of 2 1

echo "# frames that still go to the box that was the master"
lan ip neigh replace $shared lladdr "$(mac_of 1)" dev br0
same "its data plane answers" 198.18.200.1 "$(lan kdig +short +timeout=2 +retry=0 @$shared ok-9.late.test A)"
lan ip neigh del $shared dev br0

echo "# the data plane of the master is killed"
load
begun=$(now_ms)
must "box 2's data plane is killed" box_lab 2 kill dataplane
must "box 1 takes the addresses" eventually has 1
echo "# after $(($(now_ms) - begun)) ms"
must "clients go on" load_ends
sed 's/^/# /' $tmp/load
check "keepalived has taken the addresses from box 2" eventually has_none 2
same "one box answers" "$(mac_of 1) $(mac_of 1) " "$(owner)"
must "box 2's data plane is back" eval 'box_lab 2 start dataplane && plug 2'
sleep 3
check "and box 1 keeps the addresses" are_of 1 2
same "one box answers" "$(mac_of 1) $(mac_of 1) " "$(owner)"
end
