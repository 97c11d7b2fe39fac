#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Flushes in a running lab with Redis, under load: flushed names go upstream again, no client goes unanswered.
. "$(dirname "$0")/_init.sh"
command -v redis-server >/dev/null || { echo "redis-server is missing" && exit 1; }

port=6390
redis() { redis-cli -p $port "$@"; }
redis-server --port $port --bind 127.0.0.1 --save '' --appendonly no --dir $tmp --daemonize no >$tmp/redis.log &
upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
printf 'redis: {mode: standalone, addresses: [127.0.0.1:%s], timeout_ms: 5000, lookup_timeout_ms: 1000}\n' $port >>/run/weir/lab/weir.yaml
check "the configuration takes effect" weirctl config reload
state() { weirctl --json cache stats | jq -r "$1"; }
up() { [ "$(state .redis.state)" = up ] && [ "$(state .flush.subscribed)" -ge 1 ]; }
check "Redis is up, flushes are listened for" eventually up

stored() { redis --scan --pattern "weir:$1:1:1:v*" | grep -q .; }
name=serial-3000.kept.test # each answer of the upstream is another one
first=$(short $name A)
check "an answer is in both tiers" eventually stored $name
same "it is the same again" "$first" "$(short $name A)"
check "weirctl cache get shows both" test "$(weirctl cache get $name A | grep -cE '^L[01] +A +NOERROR')" = 2
check "and how long and how hot" grep -q 'hits a minute' <(weirctl cache get $name)
check "weirctl cache flush NAME" weirctl cache flush $name
check "it is gone from Redis" bash -c "! redis-cli -p $port --scan --pattern 'weir:$name:1:1:v*' | grep -q ."
second=$(short $name A)
check "and asked again ($first, $second)" test -n "$second" -a "$second" != "$first"

# As another box would: L0 lets it go too, and the copy in Redis is older than the flush.
sleep 2.2
heard() { [ "$(state .flush.heard)" = 1 ] && [ "$(state .flush.removed_for_others)" -ge 1 ]; }
redis PUBLISH weir-meta:flush "1 0123456789abcdef name $name" >/dev/null
check "a flush of another box is heard" eventually heard
third=$(short $name A)
check "and obeyed ($third)" test -n "$third" -a "$third" != "$second"
before=$(state .flush.refused) began=$(date +%s%N)
for _ in $(seq 20); do echo 'PUBLISH weir-meta:flush "1 0123456789abcdef all ."'; done | redis >/dev/null
came() { [ "$(state "(.flush.heard - 1) + (.flush.refused - $before)")" = 20 ]; }
check "twenty messages to flush all" eventually came
spans=$((($(date +%s%N) - began) / 2000000000 + 1)) # of 2 s, begun since the first was sent
check "of which one in 2 s is heard" test "$(state '.flush.heard - 1')" -ge 1 -a "$(state '.flush.heard - 1')" -le $((spans + 1))

for n in $(seq 200); do echo "ok-3000.n$n.load.test A"; done >$tmp/names
client dnsperf -s $service -d $tmp/names -Q 1000 -l 9 -q 100 >$tmp/dnsperf.out 2>&1 &
load=$!
sleep 1.5
for _ in 1 2; do
	check "weirctl cache flush --all, under load" weirctl cache flush --all
	check "weirctl cache flush --below, under load" weirctl cache flush --below load.test
	check "weirctl cache flush, under load" weirctl cache flush ok-3000.n7.load.test
done
wait $load
same "no query was lost" 0 "$(sed -nE 's/.*Queries lost: +([0-9]+) .*/\1/p' $tmp/dnsperf.out)"
check "all were answered with NOERROR" grep -q 'NOERROR [0-9]* (100.00%)' $tmp/dnsperf.out
same "every key has a TTL" 0 \
	"$(redis EVAL "local n=0 for _,k in ipairs(redis.call('KEYS','*')) do if redis.call('TTL',k)<0 then n=n+1 end end return n" 0)"
check "the counts are seen" test "$(state .flush.asked)" = 7
lag=$(weirctl --json stats --interval 0 | jq .controlplane.resolver.loop_busy_us)
echo "# longest turn of the resolver loop: $lag us"

kill %1
away() { [ "$(state .redis.state)" = away ]; }
check "Redis is away" eventually away
short $name A >/dev/null
weirctl cache flush $name >$tmp/flush.out
same "a flush without Redis says so by its status" 1 $?
check "and in words" grep -q 'Redis is unreachable: nothing removed there; the flush was not sent to other boxes' $tmp/flush.out
check "L0 was flushed" test "$(sed -nE 's/^L0: ([0-9]+) .*/\1/p' $tmp/flush.out)" = 1
check "weirctl cache stats says how often it began to listen" grep -qE '^ *began to listen +1 ' \
	<(weirctl cache stats | sed 's/$/ /')
weirctl cache stats
finish
