#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# weirctl selftest --rate: a weir of its own, every reply checked, nothing left behind, clients of a running one spared.
. "$(dirname "$0")/_init.sh"

mapfile -t cpu < <(awk '/^Cpus_allowed_list/ { gsub(/,/, " "); $1 = ""; print }' /proc/self/status | tr ' ' '\n' |
	while read -r range; do [ -n "$range" ] && seq "${range%-*}" "${range#*-}"; done)
[ ${#cpu[@]} -ge 2 ] || { echo "skipped: needs two CPUs"; exit 77; }
mkdir -p /run/weir/lab
printf 'ads.lab.example\ntracker.lab.example\n' >$tmp/own.list
cat >/run/weir/lab/weir.yaml <<CONFIG
runtime: {directory: /run/weir, state_directory: /run/weir/lab/state, hugepages: auto}
dataplane:
  main_lcore: ${cpu[0]}
  worker_lcores: [${cpu[1]}]
  ports: [{device: "net_null0"}]
  service_addresses: [$service/24]
blocking: {lists: [{name: own, path: $tmp/own.list}]}
upstreams: {servers: [{address: "127.0.0.1:9"}]}
CONFIG
found() { jq "$1" <$tmp/found.json; }
nothing_left() {
	! ls -d /run/weir-selftest-* /tmp/weir-selftest-* /dev/shm/*weir-selftest* 2>/dev/null && ! pgrep -f weir-selftest &&
		[ -z "$(find $(huge_mounts) /dev/null -mindepth 1)" ]
}

check "it runs and nothing is lost or wrong" script -qec "'$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml --json \
	selftest --rate --seconds 1 >$tmp/found.json" $tmp/shown
check "a person sees how far it is" grep -q 'measuring  \[##*  *\]  [1-5] of 5 s' $tmp/shown
cat $tmp/found.json
same "no reply was wrong" 0 "$(found .bad)"
same "each name was asked once to fill the cache" 10000 "$(found .warm.answered)"
check "then they came from the cache" test "$(found .full.answered)" -ge 100
check "at three rates, of which the second is half" test "$(found '.half.percent == 50 and .quarter.rate < .half.rate
	and .half.rate < .three_quarters.rate')" = true
check "half of the replies are sooner than 99.9 %" test \
	"$(found '.alone.answer_p50_ns > 0 and .alone.answer_p50_ns <= .alone.answer_p999_ns')" = true
check "with the lists of the configuration" test "$(found '.listed >= 2')" = true
check "nothing is left behind" nothing_left

weirctl selftest --rate --seconds 600 >$tmp/long.out 2>&1 &
long=$!
check "a long one begins" eventually pgrep -f 'weir-loadgen.*weir-selftest'
kill -INT "$(pgrep -f -o 'weirctl.*--seconds 600')"
wait $long
same "interrupted it fails" 1 $?
check "and says so" grep -q interrupted $tmp/long.out
check "and leaves nothing either" nothing_left

"$WEIR_BUILD/dataplane/weir-dataplane" -c /run/weir/lab/weir.yaml 2>/run/weir/lab/dataplane.log &
server=$!
up() { weirctl status | grep -q 'data plane      up'; }
check "an appliance runs" eventually up
taskset -c "${cpu[0]},${cpu[1]}" "$WEIR_BUILD/tools/ctl/weirctl" -c /run/weir/lab/weir.yaml selftest --rate 2>$tmp/refused
same "beside it, on its cores, it is refused" 1 $?
check "with what to do" grep -q -- '--force' $tmp/refused
kill $server
wait $server
finish
