#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Refresh-ahead in a running lab: frequently queried names never expire for a client, others are left alone. First
# with a few names, then with Zipf traffic in which each reply is checked (the short form of tools/chaos zipf).
. "$(dirname "$0")/_init.sh"
. "$smoke_dir/zipf_run.sh"

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301

names=8
for n in $(seq $names); do echo "ok-8.hot-$n.test A"; done >$tmp/hot
asked() { up_log | grep -c " $1 "; }
client kdig +short @$service ok-8.cold.test A >/dev/null
cold=$(asked ok-8.cold.test) # 1, or more when the upstream was late
before=$(dp verdict miss)
more_asked() { [ $(($(verdict_sum) - asked_before)) -ge $((names * 5)) ]; }
queries() { # of 14 s, each by the tests' clock, or of 26 s
	judges_speed && { client dnsperf -s $service -d $tmp/hot -Q $((names * 5)) -l 26 -q 4; return; }
	client dnsperf -s $service -d $tmp/hot -Q $((names * 25)) -l 600 -q 4 &
	for _ in {1..14}; do
		asked_before=$(verdict_sum)
		ahead 1
		eventually more_asked || return
	done
	pkill -INT dnsperf && wait $!
}
check "5 queries a second for each of $names names of TTL 8 s" queries
misses=$(($(dp verdict miss) - before))
day() { weirctl --json refresh stats | jq ".day.$1"; }
renewed() { refreshes=$(day done) && [ "$refreshes" -ge $names ]; }
check "they were renewed" eventually renewed
same "a name that nobody asks for was not" $cold "$(asked ok-8.cold.test)"
if judges_speed; then
	check "each missed at its first fill alone ($misses misses)" test $misses -le $((names + 4))
	same "nothing was served stale" 0 "$(dp verdict hit_stale)"
	check "each was renewed some 4 times" test "$refreshes" -ge $((names * 3)) -a "$refreshes" -le $((names * 6))
	same "none came too late" 0 "$(day hot_missed)"
fi
check "weirctl shows it" grep -q '24 h' <(weirctl refresh stats)
check "and the heat of a name" grep -q 'hits a minute: hot' <(weirctl cache get ok-8.hot-1.test)
weirctl refresh stats
weirctl cache get ok-8.hot-1.test
audit_check
"$lab" down >/dev/null
kill $upstream && wait $upstream 2>/dev/null
judges_speed || finish
# Lives so short that a name must be hot within one: 300 questions a minute, and hits of the last 15 s.
zipf_names=2000 zipf_rate=1500 zipf_seconds=35 zipf_ttl_min=6 zipf_ttl_max=12 zipf_hot=300 zipf_seed=1
check "up again, with an upstream that takes $zipf_delay_ms ms" \
	zipf_up "refresh: {hit_window: 15, sweep_interval: 5}"
check "Zipf traffic: $zipf_rate q/s for $zipf_names names of TTL $zipf_ttl_min to $zipf_ttl_max s, for $zipf_seconds s" zipf_traffic
check "some names are hot ($(zipf .hot_names), all answered)" zipf -e '.hot_names > 20 and .hot_filled == .hot_names'
same "none of their clients got a stale answer, or waited for one after the first" 0 "$(zipf .late_hot)"
check "as they would without refresh-ahead ($(zipf .late_hot_without) times)" zipf -e '.late_hot_without > .hot_names'
same "no reply was wrong" 0 "$(zipf .wrong)"
check "nearly all came ($(zipf .unanswered) did not)" zipf -e '.unanswered * 1000 < .sent'
# One that took too long is a miss to the data plane, and SERVFAIL to the client.
check "the data plane counted as many misses" zipf -e \
	'(.misses + ([.classes[].servfail] | add) - .dataplane.miss | fabs) <= .misses / 50 + 5'
check "and a saved miss did not cost two upstream queries ($(zipf .upstream_per_saved_miss))" \
	zipf -e '.upstream_per_saved_miss < 2'
zipf -c .
check "refresh-ahead goes off" eval 'sed -i "s/refresh: {/&enabled: false, /" /run/weir/lab/weir.yaml && weirctl config reload'
zipf_seconds=15
check "Zipf traffic again" zipf_traffic
check "and now the same judge finds them late ($(zipf .late_hot) times)" zipf -e '.late_hot > 20'
zipf_down
finish
