#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two resolver threads, then four, then one: each resolves and caches its part of the names, weirctl sees them as one, and a restart
# with another number keeps the cache.
export WEIR_RESOLVERS=2
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
. "$(dirname "$0")/_init.sh"

upstream 5302 $tmp/up2.log
lab_up
count=40
names() { local i; for ((i = 0; i < count; i++)); do echo "ok-3000.$1-$i.test"; done; }
# How many of the names of WORD are answered.
answered() { client kdig +short +timeout=5 +retry=2 @$service $(names "$1" | sed 's/$/ A/') | grep -cx 198.18.200.1; }
all_answered() { [ "$(answered "$1")" = $count ]; }
# How many names of WORD the upstream of this log was asked for.
asked() { up_log $tmp/$2.log | grep -o " ok-3000\.$1-[0-9]*\.test 1\$" | sort -u | wc -l; }
threads() { ps -T -o comm= -p "$(pid controlplane)" | grep -c '^weir-resolver'; }
has_threads() { [ "$(threads)" = "$1" ]; }
resolvers() { sed -i "s/^controlplane: .*/controlplane: {resolvers: $1, frontends: ${WEIR_FRONTENDS:-1}}/" $config; }
entries() { weirctl --json cache stats | jq .l0.entries; }
hits() { dp verdict hit; }
# From L0 alone: all are hits, so each was stored, which only the resolver of its part does.
all_hit() {
	local before=$(hits)
	all_answered "$1" && [ $(($(hits) - before)) = $count ]
}

check "two threads" eventually has_threads 2
same "as status says" 2 "$(weirctl --json status | jq .controlplane.generations.resolvers)"
check "names of both are answered" eventually all_answered first
check "and cached" eventually all_hit first
check "both have rings" test -n "$(region rings.0)" -a -n "$(region rings.0.1)"
check "misses of both are counted" test "$(resolver misses)" -ge $count
none_hangs() { [ "$(weirctl --json status | jq .controlplane.generations.resolvers_hung)" = 0 ]; }
check "none hangs" eventually none_hangs
same "as the metrics say" "weir_resolvers 2" "$(weirctl metrics | grep '^weir_resolvers ')"
check "metrics add up" test "$(weirctl metrics | sed -n 's/^weir_resolver_misses_total //p')" -ge $count
found=0 explained=0
for name in $(names first | head -n 8); do
	[ "$(weirctl cache get $name A | grep -cE '^L0 +A +NOERROR')" = 1 ] && found=$((found + 1))
	weirctl why $name | grep -qi 'cache' && explained=$((explained + 1))
done
same "cache get finds the names of both" 8 $found
same "why explains them" 8 $explained

# A trace follows misses of either resolver.
(i=0 && while sleep 0.2; do client kdig +timeout=1 +retry=0 @$service ok-1.n$((++i)).traced.test A; done) >/dev/null 2>&1 &
asking=$!
weirctl --json trace --name traced.test --verdict upstream --seconds 30 --limit 12 >$tmp/traces
kill $asking
same "a trace shows misses through both processes" 12 "$(jq -s '[.[] | select(.verdict == "miss" and .outcome == "upstream")] | length' $tmp/traces)"

each() { local name; for name in $(names "$1"); do "${@:2}" "$name" || return; done; } # each WORD CMD...: CMD NAME for each
gone() { ! weirctl cache get "$1" A | grep -q '^L0 '; }
check "names of both are flushed" each first weirctl cache flush
check "they are gone" each first gone
check "and are resolved again" eventually all_answered first
before=$(entries)
check "both parts hold answers" test "$before" -ge $count
# One that hangs: the others' parts are flushed and shown; its own is flushed when it is back. A reload would wait for it.
hung() { [ "$(weirctl --json status | jq .controlplane.generations.resolvers_hung)" = "$1" ]; }
$python "$smoke_dir/rig/hold_thread.py" "$(ps -T -o spid=,comm= -p "$(pid controlplane)" | awk '$2 == "weir-resolver-1" { print $1 }')" $tmp/held &
holder=$!
check "resolver 1 is held still" eventually hung 1
weirctl --json cache flush --all >$tmp/flushed
same "a flush leaves it out and says so" 1 "$(jq .resolvers_hung $tmp/flushed)"
check "the other part is empty" test "$(jq .l0_removed $tmp/flushed)" -gt 0 -a "$(jq .l0_removed $tmp/flushed)" -lt "$before"
check "as for people" eval '! weirctl cache flush ok-3000.first-0.test >$tmp/said && grep -q "^1 resolvers hang" $tmp/said'
same "cache get leaves it out" 1 "$(weirctl --json cache get ok-3000.first-0.test A | jq .resolvers_hung)"
check "a reload is refused" eval '! weirctl config reload >$tmp/said 2>&1 && grep -q "resolver 1 hangs .*nothing has changed" $tmp/said'
some_answered() { # chance says which names are the other resolver's
	local name
	for name in $(names "$1"); do resolves $name && return; done
	return 1
}
check "the data plane is killed" "$lab" kill dataplane
check "and started" "$lab" start dataplane
check "it has the other resolver" eventually some_answered beside
rm $tmp/held && wait $holder
check "it is back" eventually hung 0
# Chance says how many of the names that were asked meanwhile are its own.
had=$((before - $(jq .l0_removed $tmp/flushed)))
flushed() { [ "$(entries)" -lt $had ]; }
check "and has flushed its part" eventually flushed
check "and has the new data plane" eventually all_answered beside
check "a reload is done" weirctl config reload
check "names again" eventually all_answered first
check "flush of all" weirctl cache flush --all
check "both parts are empty" test "$(entries)" -lt 8
check "names again" eventually all_answered first

two() {
	{ sed '/^upstreams:/,$d' $tmp/plain.yaml && echo "upstreams: {servers: [{address: '127.0.0.1:5301', name: one}, {address: '127.0.0.1:5302', name: two}]}"; } >$config
	weirctl config reload
}
cp $config $tmp/plain.yaml
check "a reload with two upstreams" two
check "reaches both resolvers" activated
of() { weirctl --json upstreams | jq -r ".upstreams[] | select(.name == \"$1\") | $2"; }
first_had_all() { # of names that nobody asked for yet: where a busy machine let it be late, the other one has the next
	local word=second-$RANDOM
	all_answered $word && [ "$(asked $word up)" = $count ]
}
check "the first server has all" eventually first_had_all
check "weirctl adds up" test "$(of one .sent)" -ge $count
check "drain" weirctl upstream drain one
same "drained for both" drained "$(of one .state)"
check "new names" eventually all_answered third
same "the other server had all" $count "$(asked third up2)"
check "undrain" weirctl upstream undrain one

# A resolver begins to hang while a reload is on its way: it is left out, all others go over.
only() { { sed '/^upstreams:/,$d' $tmp/plain.yaml && echo "upstreams: {servers: [{address: '127.0.0.1:$1', name: only}]}"; } >$config; }
release() { rm $tmp/held && wait $holder; eventually none_hangs; }
# reload_beside THREAD: a reload that begins when the thread stands still and nobody knows it yet, at the first try as a rule.
reload_beside() {
	local i
	for ((i = 0; i < 10; i++)); do
		$python "$smoke_dir/rig/hold_thread.py" "$(ps -T -o spid=,comm= -p "$(pid controlplane)" | awk -v name="$1" '$2 == name { print $1 }')" $tmp/held &
		holder=$!
		eventually test -e $tmp/held
		weirctl config reload >$tmp/said 2>&1 && return 1
		grep -q 'nothing has changed' $tmp/said || return 0
		release
	done
}
only 5302
check "a reload beside resolver 1 that stops fails" reload_beside weir-resolver-1
check "and names it" grep -q 'in force, except in resolver 1, which hangs' $tmp/said
check "the next is refused" eval '! weirctl config reload >$tmp/said 2>&1'
check "resolver 1 goes on" release
check "new names" eventually all_answered follows
same "it has followed" $count "$(asked follows up2)"
check "a reload is done" eventually weirctl config reload
only 5301
check "a reload beside the first resolver fails" reload_beside weir-resolver
check "and names it" grep -q 'resolver 0 hangs; the change waits for the resolvers' $tmp/said
check "it goes on" release
check "a reload is done" eventually weirctl config reload
check "new names" eventually all_answered waits
same "all from the other server" $count "$(asked waits up)"

# Each process is killed under load and started again: cached answers stay.
check "names to keep" eventually all_hit third
names third | sed 's/$/ A/' >$tmp/queries
for ((i = 0; i < 3000; i++)); do echo "ok-2.load-$i.test A"; done >>$tmp/queries
client dnsperf -s $service -d $tmp/queries -Q 500 -q 200 -l 600 >/dev/null 2>&1 &
load=$!
for process in controlplane dataplane; do
	sleep 1
	check "$process killed under load" "$lab" kill $process
	check "started" "$lab" start $process
	check "misses are answered" eventually all_answered "after-$process"
done
kill $load
wait $load 2>/dev/null
for process in controlplane dataplane; do check "and were cached" eventually all_hit "after-$process"; done

third_asked() { { up_log $tmp/up.log; up_log $tmp/up2.log; } | grep -c " ok-3000\.third-[0-9]*\.test 1\$"; }
for number in 4 1 2; do
	before=$(third_asked)
	resolvers $number
	check "$number: a reload says that it needs a restart" grep -q 'controlplane.resolvers' <(weirctl config reload 2>&1)
	"$lab" stop controlplane >/dev/null
	check "$number: restarted" "$lab" start controlplane
	check "$number: threads" eventually has_threads $number
	check "$number: workers use the new division" activated
	check "$number: all that was cached is answered" eventually all_hit third
	same "$number: from the cache that was kept" $before "$(third_asked)"
	check "$number: new names are answered" eventually all_answered "with-$number"
	check "$number: and cached" eventually all_hit "with-$number"
done
same "no ring is damaged" 0 "$(resolver ring_anomalies)"
check "every frame has one verdict" verdicts_add_up
finish
