#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Six leaks as other resolvers had them, planted in the real control plane (controlplane/base/leak_demo.h), must be found: each by the
# slope meter, in the account that it is of, and by heap diff, with the function that it is in; one by bisect too, which
# suspects nothing where nothing is planted. Without WEIR_LONG one of them, by the meter and by heap diff.
# WEIR_BUILD: a build with -Dleak_demo=true
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl'
. "$(dirname "$0")/_init.sh"

redis-server --port 6399 --bind 127.0.0.1 --save '' --appendonly no --dir $tmp >$tmp/redis.log &
lab_up
printf 'redis: {mode: standalone, addresses: [127.0.0.1:6399]}\nrefresh: {hit_window: 15, sweep_interval: 5}\n' \
	>>/run/weir/lab/weir.yaml
restart() { # restart LEAKS: ready when it uses Redis
	"$lab" stop controlplane && WEIR_LEAK=$1 "$lab" start controlplane && eventually redis_up
}
redis_up() { [ "$(weirctl --json cache stats | jq -r .redis.state)" = up ]; }
# Each name of the many is a miss; the few get so many queries that they are renewed ahead of their expiry.
many() { seq -f "ok-300.m$(date +%s%N)-%.0f.test A" "$1" >$tmp/many; } # many COUNT: names that nobody has asked for yet
for _ in {1..50}; do seq -f 'ok-5.h%.0f.test A' 40; done >$tmp/few
# The load goes on until it is ended: what is waited for takes as long as the machine lets it.
misses() { client dnsperf -s $service -d $tmp/many -Q 400 -l 600 -q 50 >/dev/null 2>&1; }
hits() { client dnsperf -s $service -d $tmp/few -Q 200 -l 600 -q 20 >/dev/null 2>&1; }
busy() {
	many 240000
	misses &
	hits &
	while [ -e $tmp/load ]; do
		weirctl --json top >/dev/null
		weirctl blocklist reload --force >/dev/null
		sleep 0.1
	done
	kill $(pgrep -x dnsperf)
	wait
}
load_begin() { touch $tmp/load && { "$@" & } && load=$!; }
load_end() { rm -f $tmp/load && wait $load; }
only_misses() {
	many 240000
	misses &
	while [ -e $tmp/load ]; do sleep 0.2; done
	kill $(pgrep -x dnsperf)
	wait
}
# slope ACCOUNT JQ: what the meter says of ten seconds of it
slope() { weirctl --json mem slope --seconds 10 | jq -e --arg n "$1" "any(.bytes[]; .name == \$n and .samples >= 10 and ($2))"; }
grows() { slope "$1" '.known and .per_hour - .plus_minus > 33554432'; }
is_flat() { slope "$1" '.per_hour < 16777216'; }
# function FUNCTION: heap diff names it as what keeps memory
function_grew() { jq -e --arg f "$1" '[.growers[] | select(.growth > 0) | .stack] | any(startswith($f))' $tmp/diff; }
# A bisect whose slopes as usual are not known says so, and is repeated, each time a bit longer.
# So many may be without an answer that the load goes on where the toggle takes the answers away.
bisect() {
	local try
	for try in 1 2 3 4; do
		many 160000
		weirctl --json bisect --seconds $((6 + 3 * try)) refresh,resolver \
			--load "$lab exec dnsperf -s $service -d $tmp/many -Q 400 -l 400 -q 4000" >$tmp/bisect || return
		"$@" && return
	done
	cat $tmp/bisect
	return 1
}
says() { jq -e "$1" $tmp/bisect; }

long() { [ -n "${WEIR_LONG-}" ]; }
accounts=http
! long || accounts='images http redis resolver upstream'
check "Redis is in use" restart none
load_begin busy
for account in $accounts; do
	check "without a leak there is no such growth: $account" eventually is_flat $account
done
if long; then
	check "nothing is logged" weirctl set query_log off
	sleep 8 # no sample of before in five seconds
	check "queries are counted all the same" eventually sh -c '"$0" -c /run/weir/lab/weir.yaml --json mem slope --seconds 5 |
	jq -e ".queries_per_s > 20"' "$WEIR_BUILD/tools/ctl/weirctl"
	check "the log is as usual" weirctl set query_log default
fi
load_end
if long; then
	check "without a leak bisect has no suspect" bisect says '.suspect == "" and (.verdict == "no-growth" or .verdict == "no-toggle")'
	jq -c . $tmp/bisect
fi

check "a control plane with five leaks" restart reload,bodies,keys,refresh,buffers
check "its heap is profiled" weirctl heap on 1024
check "what it holds now" weirctl heap dump $tmp/a
check "weir kept the profile of before" eval "weirctl --json heap diff auto-1 $tmp/a | jq -e '.growers | length > 0'"
load_begin busy
for account in $accounts; do
	check "the slope meter sees growth: $account" eventually grows $account
done
event() { curl -sf --unix-socket /run/weir/control/control.sock "http://weir/events?follow=0" |
	jq -e "[.events[] | select(.kind == \"$1\" and (.fields.alarm | startswith(\"memory controlplane \")))] | length > 0"; }
slowly() { eventually "$@" || eventually "$@" || eventually "$@"; }
if long; then
	check "an alarm is raised" slowly event alarm_raised
	check "people learn since when, and what to do" eval "weirctl --json ready --for human | jq -e '[.reasons[] |
	select(.id == \"memory\" and .begin_unix_ms > 0 and (.advice | contains(\"mem snapshot\")))] | length > 0'"
fi
check "what it holds later" weirctl heap dump $tmp/b
load_end
! long || check "without a load it is over" slowly event alarm_over
weirctl mem slope --seconds 10
check "compared" eval "weirctl --json heap diff $tmp/a $tmp/b >$tmp/diff"
check "bodies of HTTP exchanges are named" function_grew api_serve
long || finish
check "garbage of reloads is named" function_grew work
check "keys without a TTL are" function_grew l1_put
check "refreshes that hold messages are" function_grew on_start
check "buffers that never shrink are" function_grew upstream_socket_give
weirctl heap diff $tmp/a $tmp/b
check "and all that a function calls" eval "weirctl --json heap diff --cumulative $tmp/a $tmp/b |
	jq -e 'any(.growers[]; .stack == \"api_serve\" and .growth > 0)'"

check "a control plane with the map alone" restart map
check "its heap is profiled" weirctl heap on 1024
check "what it holds now" weirctl heap dump $tmp/c
load_begin only_misses
check "the slope meter sees the map grow" eventually grows resolver
check "what it holds later" weirctl heap dump $tmp/d
load_end
check "it is profiled as from the start" weirctl heap on default
check "and says so" eval 'weirctl --json heap status | jq -e ".profiles and .sample == 524288"'
check "compared" eval "weirctl --json heap diff $tmp/c $tmp/d >$tmp/diff"
check "the map that nobody prunes is named" eval "function_grew miss_resolve || function_grew resolver_miss" # inlined or not
check "bisect finds it: the resolver" bisect says '.suspect == "resolver"'
check "of which the account grows" says '.steps[0].grower == "resolver"'
check "all toggles are as usual again" eval 'weirctl --json toggles | jq -e "all(.toggles[]; .value == .usual)"'
finish
