#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two boxes on one Redis: what one resolves the other answers without an upstream query, and one of them refreshes.
. "$(dirname "$0")/_init.sh"

names=300 hot=8 seconds=15
upstream 5301 $tmp/up.log
redis-server --port 6401 --bind 127.0.0.1 --save '' --appendonly no --dir $tmp >$tmp/redis.log &
box() { local number=$1 && shift && "$lab" --name "$number" exec "$@"; }
ctl() { local number=$1 && shift && "$WEIR_BUILD/tools/ctl/weirctl" -c "/run/weir-$number/lab/weir.yaml" "$@"; }
# ask BOX NAME TYPE: what it is answered
ask() { box "$1" kdig +short +timeout=5 +retry=2 "@198.18.$1.53" "$2" "${3-A}"; }
state() { box "$1" kdig +timeout=5 +retry=2 "@198.18.$1.53" "$2" "${3-A}" | rcode_of; }
ttl() { box "$1" kdig +noall +answer +timeout=5 +retry=2 "@198.18.$1.53" "$2" A | awk 'NR == 1 { print $2 }'; }
counter() { ctl "$1" --json stats --interval 0 | jq ".controlplane.$2"; }
is_up() { [ "$(counter "$1" redis.state)" = '"up"' ]; }
load() { box "$1" dnsperf -s "198.18.$1.53" -d "$2" "${@:3}" | grep -E 'Queries (completed|lost)|Response codes'; }
# What the upstream was asked for names of which the second label is $1, in any case.
asked() { up_log | awk -v zone="$1" '{ split($4, label, "."); n += label[2] == zone } END { print n + 0 }'; }

for number in 1 2; do
	check "box $number is up" "$lab" --name $number up --upstream 127.0.0.1:5301
	printf 'redis:\n  mode: standalone\n  addresses: ["127.0.0.1:6401"]\n  timeout_ms: 5000\n  lookup_timeout_ms: 1000\n' >>/run/weir-$number/lab/weir.yaml
	check "and gets a configuration with Redis" ctl $number config reload
	check "which is up" eventually is_up $number
done

begun=$(date +%s)
first=$(ask 1 serial.one.test)
had=$(asked one) # 1, or more when the upstream was late
# stored COUNT NAME TYPE: so many answers are in Redis, where a box puts one behind its reply
stored() { [ "$(redis-cli -p 6401 --scan --pattern "weir:$2:$3:1:v*" | wc -l)" -ge "$1" ]; }
check "it is stored for the other box" eventually stored 1 serial.one.test 1
sleep 1.1
same "the other box gives the same answer" "$first" "$(ask 2 serial.one.test)"
check "which has it from the upstream" test $had -ge 1
same "and the other one not" $had "$(asked one)"
left=$(ttl 2 serial.one.test) spent=$(($(date +%s) - begun + 1))
check "with the time that is left ($left s after $spent s at most)" test "$left" -lt 300 -a "$left" -ge $((299 - spent))
nx=$(state 2 nx.one.test) empty=$(state 1 empty.one.test) six=$(ask 1 ok.one.test AAAA)
more=$(asked one)
check "three other questions to one of them" test $more -ge $((had + 3))
check "they are stored" eventually eval 'stored 1 nx.one.test 1 && stored 1 empty.one.test 1 && stored 1 ok.one.test 28'
same "NXDOMAIN too" "NXDOMAIN NXDOMAIN" "$nx $(state 1 nx.one.test)"
same "and an empty answer" "NOERROR NOERROR" "$empty $(state 2 empty.one.test)"
same "another type is another question" "$six" "$(ask 2 ok.one.test AAAA)"
same "none was asked again" $more "$(asked one)"

for ((n = 0; n < names; n++)); do echo "n$n.many.test A"; done >$tmp/names
tac $tmp/names >$tmp/seman
check "one box gets queries for $names names" load 1 $tmp/names -n 1 -q 20
many=$(asked many)
check "all were new ($many)" test $many -ge $names
check "and are stored" eventually stored $names "n*.many.test" 1
before=$(counter 2 l1.hits)
check "the other for the same ones" load 2 $tmp/seman -n 1 -q 20
same "the upstream heard of none" $many "$(asked many)"
same "Redis returned them all" $names $(($(counter 2 l1.hits) - before))
same "with the right answers" "198.19.0.7 198.19.1.23" "$(ask 2 n7.many.test) $(ask 2 n279.many.test)"

# Both at once, the same names from both ends. A box that asks Redis before the other has stored asks the upstream too.
sed 's/many/both/' $tmp/names >$tmp/both
tac $tmp/both >$tmp/htob
load 1 $tmp/both -n 1 -q 5 -Q 500 >$tmp/load.1 &
one=$!
check "both boxes get queries for $names names at once" load 2 $tmp/htob -n 1 -q 5 -Q 500
wait $one
check "the upstream was not asked for each of them twice ($(asked both))" test "$(asked both)" -lt $((2 * names))

for ((n = 0; n < hot; n++)); do echo "ok-8.hot.n$n.test A"; done >$tmp/hot
load 1 $tmp/hot -Q $((hot * 4)) -l $seconds -q 4 >$tmp/load.1 &
one=$!
check "both get 4 queries a second for each of $hot names of TTL 8 s, for $seconds s" \
	load 2 $tmp/hot -Q $((hot * 4)) -l $seconds -q 4
wait $one
lines=$(up_log | awk '$4 ~ /^ok-8\.hot\./')
queries=$(wc -l <<<"$lines")
closest=$(awk '{ if ($4 in last && (!least || $1 - last[$4] < least)) least = $1 - last[$4]; last[$4] = $1 }
	END { printf "%d", least * 1000 }' <<<"$lines")
elsewhere=$(($(counter 1 l1.refreshed_elsewhere) + $(counter 2 l1.refreshed_elsewhere)))
done_by() { ctl "$1" --json refresh stats | jq .day.done; }
echo "$queries upstream queries, the closest two of a name $closest ms apart; refreshes done: $(done_by 1) and $(done_by 2)," \
	"left to the other: $elsewhere"
check "they were renewed" test $(($(done_by 1) + $(done_by 2))) -ge $hot
# The first fill may be asked for by both.
later=$(awk '{ if (count[$4]++ > 1 && (!least || $1 - last[$4] < least)) least = $1 - last[$4]; last[$4] = $1 }
	END { printf "%d", least * 1000 }' <<<"$lines")
if judges_speed; then
	check "by one box, not by both (closest $later ms)" test "$later" -ge 2000
	for number in 1 2; do
		misses=$(ctl $number --json stats --interval 0 | jq .dataplane.verdicts.hit_stale)
		same "box $number served nothing stale" 0 "$misses"
	done
fi
same "every key has a TTL" 0 "$($python -c '
import redis
client = redis.Redis(port=6401)
print(sum(client.ttl(key) == -1 for key in client.scan_iter(count=1000)))')"
for number in 1 2; do "$lab" --name $number down >/dev/null; done
finish
