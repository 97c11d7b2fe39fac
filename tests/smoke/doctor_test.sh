#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# weirctl doctor beside the real binaries: nothing is wrong with a machine that serves; then a list that may not be read, a
# server that does not answer, resolv.conf with weir's own address, and port 53 in other hands are each named with the
# command that mends it, with and without a control plane.
. "$(dirname "$0")/_init.sh"

# finding VERDICT CHECK TEXT [COMMAND]: doctor CHECK has it, and the command below it
finding() {
	weirctl doctor "$2" | tee $tmp/doctor | awk -v v="$1" -v c="$2:" -v text="$3" -v cmd="${4-}" '
		found && cmd != "" && index($0, "  do: ") == 1 && index($0, cmd) { good = 1 }
		{ found = 0 }
		$1 == v && $2 == c && index($0, text) { found = 1; if (cmd == "") good = 1 }
		END { exit !good }' || { cat $tmp/doctor && false; }
}
# Of the machine itself, which the test leaves as it is: the rest must be free of faults.
wrong() { weirctl --json doctor | jq -r '.findings[] | select(.verdict == "wrong") | .check' | grep -vx 'memory\|clock'; }
answers() { finding ok upstreams '127.0.0.1:5301'; }

printf 'nameserver 198.18.0.1\n' >$tmp/resolv.conf && mount --bind $tmp/resolv.conf /etc/resolv.conf
mount -t sysfs none /sys # of this network
lab_up
same "nothing is wrong with a machine that serves" '' "$(wrong)"
check "with its exception interface" finding ok ports 'exception interface weir0 is there, with its MAC address'

# A second data plane that names the first one's exception interface, as in another container: it has a /run of its own.
made=$(cat /sys/class/net/weir0/address) alias=$(cat /sys/class/net/weir0/ifalias)
sed 's#directory: /run/weir$#directory: /run/other#; s#iface=[^"'\'']*#iface=other0#' $config >/dev/shm/other.yaml
same "a second one is refused" 1 "$(elsewhere "$WEIR_BUILD/dataplane/weir-dataplane" -c /dev/shm/other.yaml >$tmp/second.log 2>&1; echo $?)"
check "which says why" grep -q "weir0: another process is attached to it ($alias)" $tmp/second.log
ip link add both0 type veth peer name both1
sed 's#directory: /run/weir$#directory: /run/other#; s#device: .*#device: "net_af_packet0,iface=both0"#; s#exception: .*#exception: otherx0#' \
	$config >/dev/shm/packet.yaml
elsewhere "$WEIR_BUILD/dataplane/weir-dataplane" -c /dev/shm/packet.yaml >$tmp/packet.log 2>&1 &
third=$!
holds() { grep -q " 88b5 " /proc/net/packet; }
check "one over af_packet has its interface" eventually holds
sed -i 's#/run/other#/run/another#; s#otherx0#anotherx0#' /dev/shm/packet.yaml
same "another on that interface is refused" 1 "$(elsewhere "$WEIR_BUILD/dataplane/weir-dataplane" -c /dev/shm/packet.yaml >$tmp/fourth.log 2>&1; echo $?)"
check "which says why" grep -q "iface=both0: another data plane has this interface" $tmp/fourth.log
kill $third; wait $third
ip link del both0
same "the first keeps what is its own" "$made $alias" "$(cat /sys/class/net/weir0/address) $(cat /sys/class/net/weir0/ifalias)"
check "and the kernel is reached through it" client ping -c 1 -W 5 $service
ip link set dev weir0 address 02:00:00:00:00:01 alias 'weir exception of 0123456789abcdef'
check "another MAC address is found" finding wrong ports "the MAC address 02:00:00:00:00:01, and the data plane gave it $made" "ip link set dev weir0 address $made"
check "another weir's alias too" finding wrong ports "is another weir's by its alias (weir exception of 0123456789abcdef)" "alias"
ip link set dev weir0 address "$made" alias "$alias"
check "and nothing, once they are back" finding ok ports 'exception interface weir0 is there, with its MAC address'
check "both processes are up" eval 'finding ok processes "the data plane is up" && finding ok processes "the control plane is up"'
version=$(weirctl --version | cut -d' ' -f2) stats=$(region stats)
check "of this version" eval 'finding ok versions "the control plane of version $version runs" && finding ok versions "the data plane of version $version runs"'
# What a data plane of another commit would say of itself.
digit=$(($(grep -obUaF "$version" "$stats" | head -n 1 | cut -d: -f1) + ${#version} - 1))
check "a data plane of another commit" $python "$smoke_dir/rig/damage.py" $digit 7a "$stats"
check "is found" finding warning versions "the data plane is of version ${version%?}z, weirctl of $version" 'restart weir-dataplane weir-controlplane'
check "by the state as well" eval 'weirctl status | grep -q "^VERSIONS DIFFER the data plane is of ${version%?}z, the control plane of $version: "'
check "and nothing, once it is back" $python "$smoke_dir/rig/damage.py" $digit "$(printf '%s' "${version: -1}" | od -An -tx1 | tr -d ' ')" "$stats"
check "with their limits" eval 'finding ok limits "weir-controlplane: Max open files" && finding ok limits "no port of the configuration locks memory"'
check "cores allowed" prlimit --pid "$(pid controlplane)" --core=0:unlimited
check "which is warned of" finding warning limits "a core dump holds its keys and passwords" 'LimitCORE=0'
check "cores forbidden" prlimit --pid "$(pid controlplane)" --core=0:0
check "which is right" finding ok limits "weir-controlplane: no core dumps"
check "the upstream answers" answers
check "the list has its names" finding ok lists '": 1'
check "port 53 is weir's" finding ok port53 'no other program'

weirctl() { setpriv --reuid 65534 --regid 65534 --clear-groups "$WEIR_BUILD/tools/ctl/weirctl" -c $config "$@"; }
check "a user without permission sees what was not checked" eval 'finding unknown hugepages "may not see whether weir runs" && finding unknown port53 "needs root to see by which process" &&
	finding unknown processes "the data plane: no permission" && finding unknown processes "the control plane: no permission"'
weirctl() { "$WEIR_BUILD/tools/ctl/weirctl" -c $config "$@"; }

printf 'nameserver %s\n' $service >$tmp/resolv.conf
check "resolv.conf at weir itself" finding wrong resolvconf "asks weir itself and no other" 'editor /etc/resolv.conf'
same "by the exit status too" 1 "$(weirctl doctor resolvconf >/dev/null; echo $?)"
printf 'nameserver 198.18.0.1\n' >$tmp/resolv.conf

mv $list $tmp/away && check "a reload misses the list" eval '! weirctl config reload'
check "a list that cannot be read" finding wrong files "there is no file $list" 'config check'
check "the control plane knows it, too" finding warning lists 'is not updated: ' 'weirctl blocklist reload'
mv $tmp/away $list
check "until it is back" eval 'weirctl blocklist reload && finding ok lists "\": 1"'

kill $upstream
gone() { short ok-3001.cached.test A >/dev/null; finding wrong upstreams 'does not answer' 'weirctl upstream test'; }
check "an upstream that does not answer" eventually gone

check "without a control plane" "$lab" stop controlplane
check "its state is said" finding warning processes 'the control plane is down' "/weir-controlplane -c $config"
check "doctor asks by itself" finding wrong upstreams '127.0.0.1:5301 does not answer (UDP: Connection refused, TCP: ' \
	'kdig @127.0.0.1 -p 5301 . NS'
upstream 5301 $tmp/up.log
check "and hears the answer" finding ok upstreams '127.0.0.1:5301 answers (UDP: '

$python - $service <<'TAKE' &
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
s.bind((sys.argv[1], 53))
time.sleep(60)
TAKE
taker=$!
listens() { [ -n "$(ss -Hunl "src $service and sport = :53")" ]; }
check "another program takes port 53" eventually listens
check "it is named" finding wrong port53 "UDP $service port 53 is taken by python3 (pid $taker)" "systemctl status $taker"
kill $taker
finish
