#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Recursion, with a signed tree of zones on three servers, as the Internet has them: answers and verdicts as those of
# unbound from the same root, recursion behind forwarders, forward zones beside it, and servers that do not answer.
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
. "$(dirname "$0")/_init.sh"
. "$smoke_dir/rig/dnssec_zones.sh"

check "zones" tree_make
check "an Internet of three servers" internet_start
check "unbound" unbound_start from-the-root
lab_up
cp $config $tmp/plain.yaml
settings() { # settings UPSTREAMS VALIDATE MORE...: the lab's configuration with these
	{
		sed '/^upstreams:/,/^[^ ]/{/^upstreams:/d;/^ /d}' $tmp/plain.yaml
		echo "upstreams: {root_hints: $zones/hints, $1}"
		echo "dnssec: {anchors: $zones/anchor, validate: $2}"
		printf '%s\n' "${@:3}"
	} >$config
	taken_over weirctl config reload
}
asks() { client kdig +timeout=9 +retry=0 @$service "$@"; }
recursion() { resolver "recursion.$1"; }
has_ad() { asks "$@" | grep -q '^;; Flags:[^;]* ad'; }

check "recursive" settings 'mode: recursive' false
same "a name three zones deep" 192.0.2.1 "$(short www.good.alpha A)"
check "without AD" eval '! has_ad +adflag www.good.alpha A'
same "a CNAME into another zone" 192.0.2.1 "$(short across.good.beta A | tail -1)"
same "16 aliases in a row" 192.0.2.1 "$(short c0.good.alpha A | tail -1)"
same "no such name" NXDOMAIN "$(asks none.good.alpha A | rcode_of)"
same "no such TLD" NXDOMAIN "$(asks www.gamma A | rcode_of)"
same "no such type" NOERROR "$(asks www.good.alpha MX | rcode_of)"
same "over TCP" 192.0.2.3 "$(short +tcp a.b.deep.good.alpha A)"
check "found by recursion" test "$(recursion answers)" -ge 6
no_question() { [ "$(recursion questions)" = 0 ]; }
check "no query is left" eventually no_question
check "weirctl upstreams" grep -q recursion <(weirctl upstreams)
check "weirctl upstream test" grep -qz 'UDP: NOERROR.*TCP: not sent: recursion' <(weirctl upstream test recursion)
check "not by a port" grep -q part <(weirctl --json upstreams | jq '.upstreams[] | select(.name == "recursion").via_kernel_why')
check "weirctl why" grep -q recursion <(weirctl why www.good.alpha)

check "and validated" settings 'mode: recursive' true
questions >$tmp/questions
$python "$smoke_dir/rig/dnssec_ask.py" 127.0.0.1 5302 counts <$tmp/questions >$tmp/unbound.txt
client $python "$smoke_dir/rig/dnssec_ask.py" $service 53 counts <$tmp/questions >$tmp/weir.txt
same "16 aliases in a row, validated" 192.0.2.1 "$(short c0.good.alpha A | tail -1)"
check "more than 120 names" test "$(wc -l <$tmp/questions)" -gt 120
check "answers and verdicts of unbound" diff $tmp/unbound.txt $tmp/weir.txt
check "some secure" test "$(grep -c ' AD ' $tmp/weir.txt)" -gt 80
check "some bogus" test "$(grep -c SERVFAIL $tmp/weir.txt)" -gt 80

same "an alias to nothing" NXDOMAIN "$(asks to-none.good.beta A | rcode_of)"
same "a name below it" 192.0.2.4 "$(short below.to-none.good.beta A)"
same "no such name below it" NXDOMAIN "$(asks none.to-none.good.beta A | rcode_of)"

check "a forward zone beside it" settings 'mode: recursive' false 'forward_zones: [{name: fwd.example, servers: ["127.0.0.1:5301"]}]'
check "has its own server" eventually eval '[ "$(short ok.fwd.example A)" = 198.18.200.1 ]'
same "others recurse" 192.0.2.2 "$(short x.wild.good.alpha A)"

check "behind a forwarder" settings 'mode: forward-first, servers: [{address: 127.0.0.1:5301, name: forwarder}]' false
same "which answers" 198.18.200.1 "$(short ok.first.example A)"
kill $upstream
check "and dies: recursion answers" eventually eval '[ "$(short inside.nsec3.alpha A | tail -1)" = 192.0.2.1 ]'

check "recursive again" settings 'mode: recursive' false
# Two flushes while the servers of a question are slow: it has its answer. Again with another name only where the
# reply says that its 4.5 s were over before all of that.
server() { pgrep -f "$zones/nsd.198.18.210.3"; }
for turn in 1 2 3 4 5; do
	check "a flush" weirctl cache flush a.delta
	stop $(server)
	asks slow-$turn.wild.good.beta A >$tmp/slow &
	slow=$!
	check "a question waits for its servers" eventually eval '[ "$(recursion questions)" -ge 1 ]'
	check "a flush meanwhile" weirctl cache flush b.delta
	same "other names" NXDOMAIN "$(asks c$turn.delta A | rcode_of)"
	weirctl cache flush d.delta >/dev/null &
	flush=$!
	sleep 0.5
	kill -0 $flush
	waits=$?
	kill -CONT $(server)
	check "a second flush ends" wait $flush
	wait $slow
	grep -qE ' in (4[5-9][0-9]{2}|[5-9][0-9]{3})\.' $tmp/slow || break
done
same "it waited" 0 $waits
same "that question has its answer" NOERROR "$(rcode_of <$tmp/slow)"

# Hints that move, with the same contents; then they are gone.
mv $zones/hints $tmp/moved
sed -i "s|root_hints: [^,]*|root_hints: $tmp/moved|" $config
check "hints of another name" taken_over weirctl config reload
same "a name" 192.0.2.1 "$(short www.good.alpha A)"
check "a flush with them" weirctl cache flush a.delta
same "the name again" 192.0.2.1 "$(short inside.nsec3.alpha A | tail -1)"
mv $tmp/moved $zones/hints
flushed=$(weirctl cache flush a.delta)
same "a flush without them fails" 1 $?
check "and says so" grep -q 'recursion: its caches are NOT emptied' <<<"$flushed"
check "recursive as before" settings 'mode: recursive' false

# A level that is gone: SERVFAIL in time, no question left, and answers again afterwards.
same "a name that libunbound keeps" 192.0.2.1 "$(short www.good.beta A)"
kill "${internet[2]}"
wait "${internet[2]}" 2>/dev/null
check "a flush of one name" weirctl cache flush www.good.beta
same "empties libunbound's caches too" SERVFAIL "$(asks www.good.beta A | rcode_of)"
check "a silent zone: SERVFAIL" test "$(asks fresh.wild.good.beta A | rcode_of)" = SERVFAIL
same "others answer meanwhile" NXDOMAIN "$(asks www.delta A | rcode_of)"
none_stays() { ahead 2 && no_question; }
check "no question stays" eventually none_stays

printf '. 60 NS a..b.\nns. 60 A 192.0.2.1\n' >$tmp/hints
sed -i "s|root_hints: [^,]*|root_hints: $tmp/hints|" $config
why=$(weirctl config reload 2>&1)
same "hints that libunbound does not take: refused" 1 $?
check "and said" grep -q 'libunbound does not take upstreams.root_hints' <<<"$why"

memory() { weirctl --json mem accounts | jq -e "$1"; }
check "its memory is in an account and in a table" memory '.alarm == false and .unexplained < 4e6 and
	(.sites[] | select(.name == "unbound") | .bytes > 5e6) and (.tables[] | select(.name == "recursor_memory") | .used > 5e6 and .used < .cap)'
check "forwarding again" settings 'servers: [{address: 127.0.0.1:5302, name: unbound}]' false
check "nor memory" eventually memory '(.sites[] | select(.name == "unbound") | .bytes < 5e6) and
	(.tables[] | select(.name == "recursor_memory") | .used == 0)'
check "no socket of recursion is left" test "$(weirctl --json upstreams | grep -c recursion)" = 0
sed -i "s|root_hints: [^,]*|root_hints: /nonexistent|" $config
why=$(weirctl config check 2>&1)
same "no hints: refused" 1 $?
check "said" grep -q 'upstreams.root_hints.*cannot be read' <<<"$why"
kill $unbound "${internet[@]:0:2}"
finish
