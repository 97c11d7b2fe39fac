#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Six leaks as other resolvers had them, planted in the real control plane (controlplane/leak_demo.h), must be found: that the
# heap grows by the slope meter, each of the six by heap diff with the function that it is in, and one by bisect.
# WEIR_BUILD: a build with -Dleak_demo=true
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl'
. "$(dirname "$0")/_init.sh"

redis-server --port 6399 --bind 127.0.0.1 --save '' --appendonly no --dir $tmp >$tmp/redis.log &
lab_up
printf 'redis: {mode: standalone, addresses: [127.0.0.1:6399]}\nrefresh: {hit_window: 15, sweep_interval: 5}\n' \
	>>/run/weir/lab/weir.yaml
restart() { "$lab" stop controlplane && WEIR_LEAK=$1 "$lab" start controlplane; } # restart LEAKS
redis_up() { [ "$(weirctl --json cache stats | jq -r .redis.state)" = up ]; }
# Each name of the many is a miss; the few are asked so often that they are renewed ahead of their expiry.
seq -f 'ok-300.m%.0f.test A' 60000 >$tmp/many
for _ in {1..50}; do seq -f 'ok-5.h%.0f.test A' 40; done >$tmp/few
misses() { client dnsperf -s $service -d $tmp/many -Q 400 -l "$1" -q 50 >/dev/null 2>&1; }
busy() { # busy SECONDS
	misses "$1" &
	client dnsperf -s $service -d $tmp/few -Q 200 -l "$1" -q 20 >/dev/null 2>&1 &
	local end=$((SECONDS + $1))
	while [ $SECONDS -lt $end ]; do
		weirctl --json top >/dev/null
		weirctl blocklist reload --force >/dev/null
		sleep 0.1
	done
	wait %?few %?misses 2>/dev/null
}
# leak_demo.c is of the account stats. Other accounts grow too, as caches fill, and the heap by what its profile takes.
slope() { weirctl --json mem slope --seconds 10 | jq -e ".bytes[] | select(.name == \"stats\") | $1"; }
grows() { slope '.known and .per_hour - .plus_minus > 268435456'; }
# function FUNCTION: heap diff names it as what keeps memory
function_grew() { jq -e --arg f "leak_demo_keep < $1" '[.growers[] | select(.growth > 0) | .stack] | any(startswith($f))' $tmp/diff; }

busy 13
check "without a leak there is no such growth" slope '.samples >= 10 and .per_hour < 16777216'
check "a control plane with six leaks" restart all
check "uses Redis" eventually redis_up
check "its heap is profiled" weirctl heap on 1024
check "what it holds now" weirctl heap dump $tmp/a
busy 14 &
load=$!
sleep 11
check "the slope meter sees growth" eventually grows
wait $load
check "what it holds later" weirctl heap dump $tmp/b
check "compared" eval "weirctl --json heap diff $tmp/a $tmp/b >$tmp/diff"
check "garbage of reloads is named" function_grew work
check "bodies of HTTP exchanges are" function_grew on_request
check "keys without a TTL are" function_grew l1_put
check "refreshes that hold messages are" function_grew on_start
check "buffers that never shrink are" function_grew upstream_socket_give
check "the map that nobody prunes is" eval "function_grew miss_resolve || function_grew resolver_miss" # inlined or not
weirctl heap diff $tmp/a $tmp/b
weirctl mem slope --seconds 10

# The interval of so few samples is unknown now and then, and the machine may be busy: five tries, each a bit longer.
# So many may be without an answer that the load goes on where the knob takes the answers away.
bisect() { # bisect WANT
	local try
	for try in 1 2 3 4 5; do
		seq -f "ok-300.try$try-%.0f.test A" 160000 >$tmp/many
		weirctl --json bisect --seconds $((9 + 3 * try)) refresh,resolver --load "$lab exec dnsperf -s $service -d $tmp/many -Q 400 -l 400 -q 4000" \
			>$tmp/bisect || return
		[ "$(jq -r .suspect $tmp/bisect)" = "$1" ] && return
	done
	cat $tmp/bisect
	return 1
}
check "a control plane with the map alone" restart map
check "bisect finds it: the resolver" bisect resolver
check "all knobs are as usual again" eval 'weirctl --json knobs | jq -e "all(.knobs[]; .value == .usual)"'
finish
