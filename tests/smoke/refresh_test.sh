#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Refresh-ahead in a running lab: names that are asked for often never expire for a client, others are left alone.
. "$(dirname "$0")/_init.sh"

$python "$smoke_dir/upstream.py" 5301 $tmp/up.log &
sleep 0.5
check "up" "$lab" up --upstream 127.0.0.1:5301

names=8 seconds=26
for n in $(seq $names); do echo "ok-8.hot-$n.test A"; done >$tmp/hot
asked() { grep -ci " $1 " $tmp/up.log; }
client kdig +short @$service ok-8.cold.test A >/dev/null
before=$(dp verdict miss)
check "each of $names names of TTL 8 s is asked for 5 times a second, for $seconds s" \
	client dnsperf -s $service -d $tmp/hot -Q $((names * 5)) -l $seconds -q 4
misses=$(($(dp verdict miss) - before))
check "each missed at its first fill alone ($misses misses)" test $misses -le $((names + 4))
same "nothing was served stale" 0 "$(dp verdict hit_stale)"
refreshes=$(weirctl --json refresh stats | $python -c 'import json, sys; print(json.load(sys.stdin)["day"]["done"])')
check "they were renewed, each some 4 times ($refreshes)" test "$refreshes" -ge $((names * 3)) -a "$refreshes" -le $((names * 6))
same "a name that nobody asks for was not" 1 "$(asked ok-8.cold.test)"
same "none came too late" 0 \
	"$(weirctl --json refresh stats | $python -c 'import json, sys; print(json.load(sys.stdin)["day"]["hot_missed"])')"
check "weirctl shows it" grep -q '24 h' <(weirctl refresh stats)
check "and the heat of a name" grep -q 'hits a minute: hot' <(weirctl cache get ok-8.hot-1.test)
weirctl refresh stats
weirctl cache get ok-8.hot-1.test
finish
