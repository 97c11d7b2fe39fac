#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The lab as a newcomer meets it: up, two answers, all types, both families, the kernel behind the exception port, down.
. "$(dirname "$0")/_init.sh"

# A process that was asked to end, and the children of one that has ended, are there for a moment.
none_left() { ! pgrep -lx 'weir-.*|nsd|sleep'; }
mounts() { grep weir /proc/self/mounts; } # those of other labs on this machine are there too, as they were at the start
mounts=$(mounts)
up=$("$lab" up --offline 2>&1)
same "up succeeds" 0 $?
same "two answers are printed" 2 "$(grep -c 'opcode: QUERY' <<<"$up")"
check "the first resolves" grep -q '198.18.255.80' <<<"$up"
check "the second is blocked" grep -q 'status: NXDOMAIN' <<<"$up"
check "it says how to stop" grep -q 'tools/lab down' <<<"$up"
before=$(cat /run/weir/lab/*.pid)
check "up again says so" grep -q 'already up' <<<"$("$lab" up --offline 2>&1)"
same "and changes nothing" "$before" "$(cat /run/weir/lab/*.pid)"

short() { client kdig +short +timeout=5 +retry=2 "@$@"; }
state() { rcode "@$@"; }
unblocked() { client kdig +edns "@$1" "$2" A >$tmp/kdig && grep -q 'status: NXDOMAIN' $tmp/kdig && ! grep -qi 'blocked' $tmp/kdig; }
for s in $service $service6; do
	same "A over $s" 198.18.255.80 "$(short $s www.lab.example A)"
	same "AAAA over $s" fd53:0:0:ffff::80 "$(short $s www.lab.example AAAA)"
	same "TXT over $s" '"hello from the lab" "second string"' "$(short $s www.lab.example TXT)"
	same "MX over $s" '10 mail.lab.example.' "$(short $s www.lab.example MX)"
	same "HTTPS over $s" '1 . alpn=h2,h3 ipv4hint=198.18.255.80' "$(short $s www.lab.example HTTPS | tr -d '"')" # newer kdig quotes
	same "CNAME chain over $s" 'www.lab.example. 198.18.255.80' "$(short $s alias.lab.example A | xargs)"
	same "NXDOMAIN over $s" NXDOMAIN "$(state $s no-such.lab.example A)"
	same "NODATA over $s" NOERROR "$(state $s mail.lab.example AAAA)"
	same "NODATA has no answer over $s" '' "$(short $s mail.lab.example AAAA)"
	same "blocked over $s" NXDOMAIN "$(state $s ads.lab.example A)"
	same "below a blocked name over $s" NXDOMAIN "$(state $s x.y.ads.lab.example A)"
	check "a look-alike is not blocked over $s" unblocked $s notads.lab.example
done
check "SOA comes with NXDOMAIN" grep -q 'SOA' <<<"$(client kdig @$service no-such.lab.example A)"
check "EDE says Blocked" grep -qi 'blocked' <<<"$(client kdig +edns @$service ads.lab.example A)"
same "letter case is kept" 'WwWlAbeXaMple' "$(client $python -c "
import socket, sys
sys.path.insert(0, '$smoke_dir/rig')
import wire
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(20)
sock.sendto(wire.query('WwW.lAb.eXaMple', ident=7), ('$service', 53))
print(''.join(c for c in sock.recv(4096)[12:29].decode('latin1') if c.isalpha()))")"
check "no OPT without one" bash -c "! '$lab' exec kdig +noedns @$service www.lab.example A | grep -q 'EDNS PSEUDO'"
check "TC when it does not fit" grep -q ' tc[; ]' <<<"$(client kdig +noedns +ignore @$service big.lab.example TXT)"

hits=$(dp verdict hit)
client kdig @$service www.lab.example A >/dev/null
same "the next query for it never leaves the data plane" $((hits + 1)) "$(dp verdict hit)"

check "ping v4 reaches the kernel" client ping -c 2 -W 2 $service
check "ping v6 reaches the kernel" client ping -c 2 -W 2 $service6
(timeout 120 nc -l -s $service -p 8080 -q 1 <<<'from the kernel' >/dev/null) &
eventually eval "ss -Hltn 'sport = :8080' | grep -q ."
same "TCP to any port reaches the kernel of the server side" 'from the kernel' \
	"$(client timeout 90 nc -w 60 $service 8080 </dev/null)"
check "a closed port is refused by the kernel, not lost" bash -c \
	"'$lab' exec timeout 90 nc -zv -w 60 $service 9 2>&1 | grep -q refused"

check "weirctl status" weirctl status
check "weirctl stats" weirctl stats
check "weirctl why names the list" grep -q lab.list <<<"$(weirctl why x.ads.lab.example)"
check "weirctl cache get" grep -q '198.18.255.80' <<<"$(weirctl cache get www.lab.example)"
check "weirctl cache flush" weirctl cache flush www.lab.example
same "a flushed name is gone" 1 "$(weirctl cache get www.lab.example >/dev/null; echo $?)"
same "usage is exit status 2" 2 "$(weirctl nonsense >/dev/null 2>&1; echo $?)"
check "config check" weirctl config check "$root/tools/weir.yaml"
printf 'nonsense: 1\n' >$tmp/bad.$$.yaml
same "a bad file is exit status 1" 1 "$(weirctl config check $tmp/bad.$$.yaml >/dev/null 2>&1; echo $?)"
check "and names file and line" grep -q "bad.$$.yaml:1" <<<"$(weirctl config check $tmp/bad.$$.yaml 2>&1)"
rm -f $tmp/bad.$$.yaml

check "every frame has one verdict" verdicts_add_up
link() { [ "$(weirctl --json ports | jq '.ports[0].link_up')" = "$1" ]; }
check "the port's link is up, though its interface is in another namespace" eventually link true
client ip link set wt0 down
check "and down when that is" eventually link false
client ip link set wt0 up
check "and up again" eventually link true

audit_check
check "down" "$lab" down
check "no process is left" eventually none_left
same "no namespace is left" '' "$(ip netns list)"
same "no interface is left" lo "$(ip -o link | awk -F': ' '{ print $2 }' | xargs)"
same "no file is left" '' "$(ls -d /run/weir* /dev/shm/*weir* 2>/dev/null; find $(huge_mounts) /dev/null -mindepth 1)"
same "no mount is left" "$mounts" "$(mounts)"

printf 'nonsense: 1\n' >$tmp/bad.$$.yaml
check "a failed up fails" bash -c "! '$lab' up --offline --config $tmp/bad.$$.yaml"
rm -f $tmp/bad.$$.yaml
same "and leaves nothing" '' "$(ls -d /run/weir* 2>/dev/null; ip netns list)"
check "nor a process" eventually none_left

# What is not the lab's is left alone, and said.
ip tuntap add mode tap name weir0
check "up refuses a foreign weir0" bash -c "! '$lab' up --offline"
check "and leaves it" ip link show dev weir0
ip link del weir0
upstream 5400 /run/other.log
other=$upstream
check "up refuses another server in its authority's place" bash -c "! '$lab' up --offline"
kill $other
same "and leaves nothing" '' "$(ls -d /run/weir* 2>/dev/null; ip netns list)"
check "nor a process" eventually none_left

# A script that is killed on the way; two at once; two lists of one name; a configuration with a list beside it.
mkdir -p /run/own/lists
printf 'one.example\n' >/run/own/ads.txt
printf 'two.example\n' >/run/own/lists/ads.txt
"$lab" up --offline >/dev/null 2>&1 &
killed=$!
eventually test -s /run/weir/lab/authority.pid
kill -9 $killed
"$lab" up --offline --list /run/own/ads.txt --list /run/own/lists/ads.txt >/run/first.out 2>&1 &
first=$!
eventually grep -q '^upstream:' /run/first.out # the first has the lock, which a child of the killed one may have held on to
second=$("$lab" up --offline 2>&1)
wait $first
check "after a killed up, up works" grep -q '198.18.255.80' /run/first.out
check "a second up waits for the first and changes nothing" grep -q 'already up' <<<"$second"
check "both lists are taken" bash -c "'$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml why two.example | grep -q 'ads.txt (2)'"
"$lab" exec sleep 1000 &
eventually pgrep -x sleep
ip tuntap add mode tap name wt0 # NetBird's, where the lab's is in the client namespace
audit_check
check "down" "$lab" down
check "another program's wt0 stays" ip link show dev wt0
ip link del wt0
same "nothing is left" '' "$(ls -d /run/weir* 2>/dev/null; ip netns list)"
check "not even what ran in the client namespace" eventually none_left
sed 's#^  lists:#  lists:\n    - path: lists/ads.txt#; s#: /var/lib/weir#: /run/own/state#; s#weir0 #weir-own #; s#9.9.9.9#127.0.0.1:5400#' \
	"$root/tools/weir.yaml" >/run/own/weir.yaml
check "up with a configuration" "$lab" up --offline --config /run/own/weir.yaml
check "its list is found beside it" grep -q two.example <<<"$(weirctl why x.two.example)"
same "its state directory is its own" /run/own/state "$(state_directory)"
check "with changes to judge" eventually eval "audited | grep -q '[1-9].* changes'"
audit_check
check "down" "$lab" down
same "its exception interface is gone too" lo "$(ip -o link | awk -F': ' '{ print $2 }' | xargs)"
finish
