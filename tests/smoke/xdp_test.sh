#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# AF_XDP on a veth pair: what is steered, what the kernel keeps, and who gets queries when the data plane is killed, hangs,
# comes back or finds another program. The client's checksum offload stays on, so its checksums are partial.
. "$(dirname "$0")/_init.sh"
mount -t bpf bpf /sys/fs/bpf 2>/dev/null

up=$("$lab" up --offline --xdp 2>&1)
same "up" 0 $?
check "the first answer" grep -q '198.18.255.80' <<<"$up"
check "the second is blocked" grep -q 'status: NXDOMAIN' <<<"$up"
check "the client leaves checksums to a NIC" grep -q '^tx-checksumming: on' <<<"$(client ethtool -k wt0)"
check "the program is attached in the driver" grep -q 'xdp qdisc.*' <<<"$(ip link show weir0)"

short() { client kdig +short +timeout=5 +retry=2 "@$@"; }
resolves() { [ "$(short $service www.lab.example A)" = 198.18.255.80 ]; }
steered() { weirctl --json xdp status | jq ".ports[0].counters.$1"; } # steered steered|gate_shut|no_socket|passed|other_host
left_to_kernel() { echo $(($(steered gate_shut) + $(steered no_socket))); }
attached() { weirctl --json xdp status | jq -r '.ports[0].attached'; }
# UDP datagrams that the kernel here took in, whether or not someone listens
kernel_udp() { awk '/^Udp:/ && ++n == 2 { print $2 + $3 }' /proc/net/snmp; }

# An answer alone says little: while no gate is open the control plane's own sockets give it.
steers_again() {
	local was
	was=$(steered steered)
	resolves && [ "$(steered steered)" -gt "$was" ]
}

check "queries are steered" eventually steers_again
kernel=$(left_to_kernel) before=$(steered steered) hits=$(dp verdict hit)
same "A over IPv4" 198.18.255.80 "$(short $service www.lab.example A)"
same "AAAA over IPv6" fd53:0:0:ffff::80 "$(short $service6 www.lab.example AAAA)"
same "a hit" 198.18.255.80 "$(short $service www.lab.example A)"
check "queries were steered" [ $(($(steered steered) - before)) -ge 3 ]
check "the workers answered them" [ "$(dp verdict hit)" -gt "$hits" ]
same "none went to the kernel" "$kernel" "$(left_to_kernel)"
check "large answers too" grep -q 'ANSWER: 1;' <<<"$(client kdig +bufsize=4096 +ignore @$service www.lab.example HTTPS)"

check "ping v4 is the kernel's" client ping -c 2 -W 2 $service
check "ping v6 is the kernel's" client ping -c 2 -W 2 $service6
(timeout 120 nc -l -s $service -p 8080 -q 1 <<<'from the kernel' >/dev/null) &
eventually eval "ss -Hltn 'sport = :8080' | grep -q ."
same "TCP is the kernel's" 'from the kernel' "$(client timeout 90 nc -w 60 $service 8080 </dev/null)"
before=$(steered steered)
client timeout 60 bash -c "echo x >/dev/udp/$service/5353"
client timeout 60 bash -c "echo x >/dev/udp/198.18.0.54/53"
same "other ports and addresses are not steered" "$before" "$(steered steered)"

# Tags, options, fragments, extension headers. The data plane answers the first five, drops and counts a first fragment
# and what is behind extension headers; the kernel has two tags, later fragments and what is cut off.
was=$(steered steered) fragments=$(dp verdict drop_fragment) extended=$(dp verdict drop_ip_header)
others=$(steered other_host)
frames=$(client $python "$smoke_dir/rig/xdp_frames.py")
same "replies, and their VLANs" "plain4 0 plain6 0 vlan4 7 vlan6 7 options4 0 two_tags None fragment_first None \
fragment_later None extension6 None runt None other_host None" "$(xargs <<<"$frames")"
same "what a mirror port would bring stays with the kernel" $((others + 1)) "$(steered other_host)"
same "seven of eleven were steered" $((was + 7)) "$(steered steered)"
same "a first fragment was dropped" $((fragments + 1)) "$(dp verdict drop_fragment)"
same "and one behind extension headers" $((extended + 1)) "$(dp verdict drop_ip_header)"

check "weirctl xdp status" weirctl xdp status
same "not for everyone: they would get wrong answers" 1 "$(
	setpriv --reuid 65534 --regid 65534 --clear-groups "$WEIR_BUILD/tools/ctl/weirctl" xdp detach weir0 >$tmp/nobody.log 2>&1
	echo $?
)"
check "which is said" grep -q 'needs root' $tmp/nobody.log
check "weirctl ports" weirctl ports
check "statistics have the program's counters" eventually sh -c \
	"[ \"\$('$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml --json stats --interval 0 |
		jq '.dataplane.ports[0].steering.steered')\" -ge 5 ]"
same "a living data plane keeps its program" 1 "$(weirctl xdp detach >/dev/null 2>&1; echo $?)"
same "nor can another one have the interface" 1 "$(
	sed 's#directory: /run/weir$#directory: /run/other#' /run/weir/lab/weir.yaml >$tmp/other.yaml
	timeout 120 "$WEIR_BUILD/dataplane/weir-dataplane" -c $tmp/other.yaml >$tmp/other.log 2>&1
	echo $?
)"
check "and logs why" grep -q 'weir0: another data plane has this interface' $tmp/other.log
# As in another container of this network, with a /run of its own: no claim is seen there.
cp $tmp/other.yaml /dev/shm/other.yaml
same "nor one with folders of its own" 1 "$(elsewhere "$WEIR_BUILD/dataplane/weir-dataplane" -c /dev/shm/other.yaml >$tmp/elsewhere.log 2>&1; echo $?)"
check "and logs why, too" grep -q 'weir0: another data plane has this interface' $tmp/elsewhere.log
same "nor is its program taken off from there" 1 "$(elsewhere "$WEIR_BUILD/tools/ctl/weirctl" -c /dev/shm/other.yaml xdp detach weir0 >/dev/null 2>&1; echo $?)"
same "it is still attached" ours "$(attached)"
check "every frame has one verdict" verdicts_add_up
check "the port's own count agrees" ports_add_up

# Dead: from the next frame on the kernel has the queries.
before=$(left_to_kernel) udp=$(kernel_udp)
"$lab" kill dataplane
client kdig +timeout=1 +retry=0 @$service www.lab.example A >/dev/null 2>&1
check "killed: the next query is left to the kernel" [ "$(left_to_kernel)" -gt "$before" ]
check "and the kernel has it" [ "$(kernel_udp)" -gt "$udp" ]
same "the program is still there" ours "$(attached)"
check "the data plane starts over it" "$lab" start dataplane
same "which is pinned, and its maps" 6 "$(ls /sys/fs/bpf | grep -cE '^weir_[0-9]+_[0-9]+(_weir_(addresses|servers|asked|counters|gate))?$')"
check "and serves again" eventually steers_again
check "it said so" eventually grep -q 'detaching the steering program of an earlier run' /run/weir/lab/dataplane.log

"$lab" kill dataplane
# Nobody but root can claim an interface: neither by a name among unix sockets nor by a file.
setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 -c '
import socket, sys, time
held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
held.bind("\0weir-xdp-" + sys.argv[1])
time.sleep(600)' "$(cat /sys/class/net/weir0/ifindex)" &
squatter=$!
check "the name is taken" eventually grep -q '@weir-xdp-' /proc/net/unix
same "the claim is root's alone" "root 600 0" "$(stat -c '%U %a %s' /run/weir/weir_*)"
claim=$(ls -d /run/weir/weir_*)
check "detach takes off what is left" weirctl xdp detach
kill $squatter
same "nothing is attached" nothing "$(attached)"
same "and no claim is left" "" "$(ls /run/weir | grep '^weir_')"
check "twice is no failure" weirctl xdp detach weir0
ln -s $tmp/nothing "$claim"
check "what cannot be a claim is named" eval '! weirctl xdp detach weir0 >$tmp/planted 2>&1 && grep -q "something that is no claim has its name" $tmp/planted'
rm "$claim"
check "start" "$lab" start dataplane
check "serves" eventually steers_again

# The rights of the systemd unit: no CAP_SYS_ADMIN, so no object of the kernel is opened by its number.
"$lab" kill dataplane
rights=(setpriv --inh-caps -all --bounding-set
	-all,+net_admin,+net_raw,+bpf,+perfmon,+ipc_lock,+chown,+sys_nice)
was=$(steered steered)
check "queries were steered before the kill" [ "$was" -gt 0 ]
same "another process reads the counters by their pin" "$was" "$("${rights[@]}" "$WEIR_BUILD/tools/ctl/weirctl" \
	-c /run/weir/lab/weir.yaml --json xdp status | jq .ports[0].counters.steered)"
"${rights[@]}" "$WEIR_BUILD/dataplane/weir-dataplane" -c /run/weir/lab/weir.yaml >$tmp/rights.log 2>&1 &
check "with the unit's rights, over what a kill left" eventually steers_again
check "it said so" eventually grep -q 'detaching the steering program' $tmp/rights.log
kill $!
wait $!
same "it stops in order" 0 $?
same "and takes its program along" nothing "$(attached)"
check "start" "$lab" start dataplane
check "serves" eventually steers_again

# Hanging: the gate falls shut two seconds after the last beat, and opens by itself.
before=$(steered gate_shut) dataplane=$(pid dataplane)
stop "$dataplane"
gate_is_shut() {
	client kdig +timeout=1 +retry=0 @$service www.lab.example A >/dev/null 2>&1
	[ "$(steered gate_shut)" -gt "$before" ]
}
check "stopped: queries are left to the kernel" eventually gate_is_shut
kill -CONT "$dataplane"
check "going on: they are steered again" eventually steers_again
check "still every frame has one verdict" verdicts_add_up

# The VLANs of a port need tags, which an interface may strip.
vlans() { sed 's/^\( *\)- xdp: .*/&\n\1  vlans: [0, 7]/' /run/weir/lab/weir.yaml >$tmp/vlans.yaml; }
"$lab" stop dataplane
check "a port with VLANs" eval "vlans && grep -A1 'xdp: ' $tmp/vlans.yaml | grep -q vlans"
check "of an interface that strips tags" ethtool -K weir0 rxvlan on
same "does not start" 1 "$(
	timeout 120 "$WEIR_BUILD/dataplane/weir-dataplane" -c $tmp/vlans.yaml >$tmp/vlans.log 2>&1
	echo $?
)"
check "which is said" grep -q 'port weir0: the interface strips the VLAN tags.*ethtool -K weir0 rxvlan off' $tmp/vlans.log
# Those of a group need them too, but other clients are served without.
(cat /run/weir/lab/weir.yaml && printf 'groups:\n- {name: guests, vlans: [7]}\n') >$tmp/guests.yaml
"$WEIR_BUILD/dataplane/weir-dataplane" -c $tmp/guests.yaml >$tmp/guests.log 2>&1 &
check "a group with VLANs: it starts and serves" eventually steers_again
check "that the group finds none is said" eventually grep -q 'port weir0: the interface strips VLAN tags.*ethtool -K weir0 rxvlan off' $tmp/guests.log
kill $!
wait $!
check "that turned off" ethtool -K weir0 rxvlan off
"$WEIR_BUILD/dataplane/weir-dataplane" -c $tmp/vlans.yaml >$tmp/vlans.log 2>&1 &
check "it starts and serves" eventually steers_again
same "in its VLAN" "vlan4 7" "$(client $python "$smoke_dir/rig/xdp_frames.py" | grep '^vlan4')"
kill $!
wait $!
check "start" "$lab" start dataplane
check "serves" eventually steers_again

# An orderly stop leaves nothing; a foreign program is not touched.
check "stop" "$lab" stop dataplane
same "nothing is attached after it" nothing "$(attached)"
echo '__attribute__((section("xdp"), used)) int foreign(void *frame) { return frame ? 2 : 1; }' |
	clang -target bpf -O2 -x c - -c -o $tmp/foreign.o
ip link set dev weir0 xdp obj $tmp/foreign.o sec xdp
same "a foreign program" "someone else's" "$(attached)"
same "is no reason to start" 1 "$("$lab" start dataplane >/dev/null 2>&1; echo $?)"
check "which is said" grep -q 'weir0: an XDP program of someone else' /run/weir/lab/dataplane.log
same "nor is it detached" 1 "$(weirctl xdp detach >/dev/null 2>&1; echo $?)"
ip link set dev weir0 xdp off
check "without it, start" "$lab" start dataplane
check "serves at the end" eventually resolves

audit_check
check "down" "$lab" down
same "no interface is left" lo "$(ip -o link | awk -F': ' '{ print $2 }' | xargs)"
same "no pin is left" '' "$(ls /sys/fs/bpf 2>/dev/null | grep weir_)"
finish
