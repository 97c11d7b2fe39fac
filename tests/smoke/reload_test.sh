#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A reload that the resolver refuses changes nothing and says so, each time. The control plane has one CPU, so that its two loops
# take turns where they would else run side by side. A toggle changes the running configuration alone: what stands in the files by then
# does not matter.
. "$(dirname "$0")/_init.sh"

upstream 5302 $tmp/up2.log
lab_up
cp $config $tmp/plain.yaml
check "the control plane on one CPU" taskset -acp "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')" "$(pid controlplane)"

# groups ROUND: 60 groups with servers of their own and safe search, so with 120 views that no other round has. The client of the
# first is .3, whose server is the second one.
groups() {
	local i
	cat $tmp/plain.yaml
	echo "groups:"
	echo "- {name: own, clients: [198.18.0.3], upstreams: [{address: '127.0.0.1:5302'}]}"
	for ((i = 0; i < 59; i++)); do
		echo "- {name: g$1x$i, clients: [10.$1.$i.0/24], upstreams: [{address: '127.0.0.1:$((10000 + 100 * $1 + i))'}]," \
			"safe_search: {google: true}}"
	done
}
reload() { groups "$1" >$config && weirctl config reload >$tmp/reload.out 2>&1; }
# Where a group of the last one of `reload` is, the configuration is in force.
described() { weirctl --json status | jq -r '[.controlplane.groups[].name] | join(" ")'; }
# true_reply ROUND: the reload did what its reply says.
true_reply() {
	local before after
	before=$(described)
	if reload $1; then
		taken=$((taken + 1))
		after=$(described)
		[[ $after == *" g$1x0 "* ]]
	else
		refused=$((refused + 1))
		after=$(described)
		grep -q 'groups of earlier reloads are still in use' $tmp/reload.out && [ "$after" = "$before" ]
	fi
}
# own N: the client of `own` asks for a new name; weir asks that client's own server.
own() {
	client kdig +short +timeout=5 +retry=2 -b 198.18.0.3 @$service ok-$1.own.test A | grep -qx 198.18.200.1 &&
		up_log $tmp/up2.log | grep -q " ok-$1.own.test 1\$" && ! up_log | grep -q " ok-$1.own.test 1\$"
}
check "a client of a group" client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2) && ip addr add 198.18.0.3/24 dev $dev'
for round in 1 2 3; do check "new groups, $round" reload $round; done
activated
check "the group has its own server" own 1
taken=0 refused=0 untrue=0 moved=0
for ((round = 11; refused < 20 && round < 100; round++)); do
	true_reply $round || { untrue=$((untrue + 1)) && cat $tmp/reload.out; }
	own $round || moved=$((moved + 1))
done
echo "# $refused refused, $taken activated"
same "20 reloads are refused, of which more than three within 10 s are too many" 20 $refused
same "each says what came of it" 0 $untrue
same "and none resolves a client's names in another way" 0 $moved

toggle() { weirctl --json toggles | jq -r ".toggles[] | select(.name == \"$1\") | .value"; }
named=$(described)
printf 'local:\n  test_names: true\n  records:\n    - {name: pending.test, type: A, value: 198.18.200.9}\n' |
	cat <(sed '/^local:/,/test_names/d' $tmp/plain.yaml) - >$config
check "an edit that waits for a reload is a good file" weirctl config check
echo pending-list.test >>$list
builds=$(weirctl --json blocklist status | jq .builds)
check "a toggle is turned" taken_over weirctl set refresh off
same "and says so" 0 "$(toggle refresh)"
same "the edit waits on" 198.18.200.1 "$(short pending.test A)"
same "a list that was edited does, too" 198.18.200.1 "$(short ok-1.pending-list.test A)"
same "nothing was built" "$builds" "$(weirctl --json blocklist status | jq .builds)"
same "the groups are still there" "$named" "$(described)"
printf 'local: [\n' >>$config
check "a file that is no configuration is refused by a reload" eval '! weirctl config reload'
check "not by a toggle" weirctl set refresh default
same "which is as usual again" 1 "$(toggle refresh)"
check "nor by another one" weirctl set upstream.recycle 7
same "which has its number" 7 "$(toggle upstream.recycle)"
rm $config
check "nor do they need the file" curl -sf --unix-socket /run/weir/control.sock -X POST \
	'http://weir/set?toggle=upstream.recycle&value=default'
cp $tmp/plain.yaml $config
check "the file is right again" taken_over weirctl config reload
same "then the list's edit is in force" NXDOMAIN "$(rcode @$service ok-1.pending-list.test A)"

seq -f 'name-%.0f.long.test' 3000000 >>$list
weirctl config reload >$tmp/reload.out 2>&1 &
reloading=$!
building() { [ "$(weirctl --json blocklist status | jq .building)" = true ]; }
check "a reload that takes long is building" eventually building
check "a toggle is turned meanwhile" weirctl set refresh off
same "and says so" 0 "$(toggle refresh)"
check "the reload goes on" kill -0 $reloading
same "a second reload is refused" 1 "$(weirctl config reload >/dev/null 2>&1; echo $?)"
check "another toggle is turned" weirctl set upstream.recycle 9
check "and the first one back" weirctl set refresh default
wait $reloading
same "the reload reports its own result" 0 $?
check "all workers use what it built" activated
same "its names are blocked" NXDOMAIN "$(rcode @$service name-3000000.long.test A)"
same "the toggle stays as it was turned" 9 "$(toggle upstream.recycle)"
check "a later reload is taken" weirctl config reload
check "the list is short again" eval 'sed -i /long.test/d $list && weirctl config reload'
refused=0
for ((round = 0; round < 20; round++)); do
	weirctl config reload >/dev/null 2>&1 &
	weirctl set upstream.recycle $((round + 10)) >/dev/null || refused=$((refused + 1))
	wait $!
done
same "20 toggles, each turned as a reload begins, are not refused" 0 $refused
same "the last one is in force" 29 "$(toggle upstream.recycle)"
# at_once: requests for a toggle and a reload in the same moment, each on a connection of its own. The status of each reply.
at_once() {
	$python - "$1" <<-'END'
		import socket, sys
		paths = "/set?toggle=upstream.recycle&value=" + sys.argv[1], "/config/reload"
		with_both = []
		for path in paths:
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect("/run/weir/control.sock")
		    with_both.append((s, f"POST {path} HTTP/1.1\r\nHost: weir\r\nContent-Length: 0\r\n\r\n".encode()))
		for s, request in with_both:
		    s.sendall(request)
		print(*(s.recv(4096).split()[1].decode() for s, _ in with_both))
	END
}
refused=0
for ((round = 0; round < 20; round++)); do
	[ "$(at_once $((round + 40)))" = "200 200" ] || refused=$((refused + 1))
done
same "20 reloads, each begun as a toggle is turned, are not refused" 0 $refused
same "the last toggle is in force" 59 "$(toggle upstream.recycle)"
finish
