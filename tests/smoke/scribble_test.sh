#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A neighbour gone wild: tests/scribble flips random bits in all that one process may write while the other serves,
# both built with the address and undefined behaviour sanitizers. Nobody crashes or is held up for more than 10 ms, what
# is odd is counted, replies are well-formed or absent, and once it is over all is well again.
# usage: scribble_test.sh [--flips N] [--rate N] [--seed N] [--victim dataplane|controlplane] [--port tap|memif]
#        [--resolvers N]    default: both (by turns without WEIR_LONG), short, a TAP, one resolver
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl tools/loadgen/weir-bridge tests/scribble/scribble'
. "$(dirname "$0")/_init.sh"

flips=30000 rate=10000 seed=1 victims='dataplane controlplane' port=tap
[ -n "${WEIR_LONG-}" ] || victims=$( ((commits % 2)) && echo dataplane || echo controlplane)
while [ $# -ge 2 ]; do
	case $1 in
	--flips) flips=$2 ;;
	--rate) rate=$2 ;;
	--seed) seed=$2 ;;
	--victim) victims=$2 ;;
	--port) port=$2 ;;
	--resolvers) export WEIR_RESOLVERS=$2 ;;
	*) break ;;
	esac
	shift 2
done
[ $# = 0 ] || { sed -n '/^# usage/,/^# .*default/s/^# //p' "$0" >&2; exit 2; }
for number in "$flips" "$rate" "$seed"; do case $number in '' | 0 | *[!0-9]*) echo "no number: $number" >&2; exit 2 ;; esac; done
case $port in tap) by_memif='' ;; memif) by_memif=--memif ;; *) echo "no port: $port" >&2; exit 2 ;; esac
jq -e 'any(.[]; .name == "b_sanitize" and (.value | tostring | contains("address")))' \
	"$WEIR_BUILD/meson-info/intro-buildoptions.json" >/dev/null 2>&1 || { echo "skipped: a build without sanitizers"; exit 77; }
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:handle_sigbus=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

load_rate=500 hops_refused='refused new state: hops'
unharmed() { # unharmed PROCESS PID: still the same, and no sanitizer spoke
	[ "$(pid "$1")" = "$2" ] && runs "$1" && sane "$1"
}
sane() { ! grep -E 'AddressSanitizer|runtime error|SUMMARY:' "/run/weir/lab/$1.log"; }
load() { client $python "$smoke_dir/rig/scribble_load.py" "$@"; }
field() { jq -r ".$1 // 0" <<<"$2"; }

# The control plane's turns, in CPU time, which loop.h tells up to 1 ms too high: a look each half second keeps the longest of all.
watch_loop() {
	local busy lag longest=0 late=0 over=0
	while [ -e $tmp/watching ]; do
		read -r busy lag < <(weirctl --json stats --interval 0 2>/dev/null |
			jq -r '.controlplane.resolver | "\(.loop_busy_us) \(.loop_lag_max_us)"')
		case $busy$lag in '' | *[!0-9]*) ;; *)
			[ "$busy" -gt $longest ] && longest=$busy
			[ "$lag" -gt $late ] && late=$lag
			[ "$busy" -gt 11000 ] && over=$((over + 1)) ;;
		esac
		sleep 0.5
	done
	echo "{\"longest_turn_us\": $longest, \"longest_lag_us\": $late, \"turns_over_10_ms\": $over}" >$tmp/loop.json
}

begin() { # a lab with names in its cache
	# shellcheck disable=SC2086 # no word for a TAP
	lab_by_port $tmp/up.log $by_memif --list $list >$tmp/up.out 2>&1 || { tail $tmp/up.out; return 1; }
	sed -i 's/l0_mb: 64/l0_mb: 1/' /run/weir/lab/weir.yaml # small, so that flips hit what is used
	"$lab" stop controlplane && "$lab" start controlplane && eventually by_port && eventually load ask 20 0
}

# A hops image again and again, for a worker to read amid the flips.
move_route() {
	local n
	for ((n = 0; ; n++)); do
		[ -e $tmp/watching ] || break
		ip route replace 198.18.0.2/32 dev weir0 mtu $((1300 + n % 2 * 100)) 2>/dev/null # without a data plane there is no weir0
		sleep 0.5
	done
}

anomalies() {
	weirctl --json stats --interval 0 |
		jq -c '{ring_anomaly: .dataplane.counters.ring_anomaly, record_anomaly: .dataplane.counters.record_anomaly,
			answer_bad: .dataplane.counters.answer_bad, answer_foreign: .dataplane.counters.answer_foreign,
			upstream_sent: .dataplane.counters.upstream_sent, upstream_bad: .dataplane.counters.upstream_bad,
			upstream_foreign: .dataplane.counters.upstream_foreign, upstream_unknown: .dataplane.counters.upstream_unknown,
			upstream_reply: .dataplane.verdicts.upstream_reply,
			resolver_port_replies: .controlplane.resolver.upstream_port_replies,
			resolver_port_strays: .controlplane.resolver.upstream_port_strays,
			resolver_ring_anomalies: .controlplane.resolver.ring_anomalies,
			resolver_foreign_messages: .controlplane.resolver.foreign_messages,
			resolver_bad_misses: .controlplane.resolver.bad_misses,
			verdicts: (.dataplane.verdicts | with_entries(select(.value > 0)))}'
}

# The writer is started again while it lies dead, as a supervisor would.
supervise() {
	while [ -e $tmp/watching ]; do
		if ! runs "$1"; then
			echo died >>$tmp/deaths
			tail -n 8 "/run/weir/lab/$1.log" | sed 's/^/# | /' >>$tmp/last_words
			"$lab" start "$1" >/dev/null 2>&1
		fi
		sleep 0.2
	done
}

asked_more() { [ "$(verdict_sum)" -ge "$1" ]; } # asked_more SUM
odd() { # odd VICTIM: does it tell of what is odd?
	if [ "$1" = dataplane ]; then
		jq -e '.record_anomaly + .answer_bad > 0 and .ring_anomaly > 0 and .upstream_sent > 0 and
			.upstream_bad + .upstream_foreign + .upstream_unknown > 0' $tmp/odd.json && grep -q "$hops_refused" /run/weir/lab/dataplane.log
	else
		jq -e '.resolver_ring_anomalies > 0 and .resolver_foreign_messages + .resolver_bad_misses > 0 and
			.resolver_port_replies > 0 and .resolver_port_strays > 0' $tmp/odd.json
	fi
}

scribble() { # scribble VICTIM WRITER
	local victim=$1 writer=$2 before seconds loader jobs line received turn
	echo "# $writer's memory, $flips flips, seed $seed, beside $victim"
	check "up" begin
	before=$(pid "$victim")
	: >$tmp/watching
	rm -f $tmp/deaths $tmp/last_words
	watch_loop & jobs=$!
	supervise "$writer" & jobs="$jobs $!"
	move_route & jobs="$jobs $!"
	seconds=$((6 * flips / rate + 300))
	received=$(verdict_sum)
	mkfifo $tmp/until
	load run $seconds $load_rate "$seed" <$tmp/until >$tmp/load.json &
	loader=$!
	exec 7>$tmp/until
	check "there is a load" eventually asked_more $((received + 200))
	# A machine with other things to do may let so few queries meet the flips that nothing odd is seen: then there are more.
	rm -f $tmp/scribble.json
	for ((turn = 0; turn < 6; turn++)); do
		received=$(verdict_sum)
		"$WEIR_BUILD/tests/scribble/scribble" --run /run/weir --victim "$victim" --flips "$flips" --rate "$rate" \
			--seed $((seed + 1000 * turn)) >>$tmp/scribble.json
		same "all flips were made" "$flips" "$(tail -n 1 $tmp/scribble.json | jq .flips)"
		anomalies >$tmp/odd.json
		asked_more $((received + 300)) && odd "$victim" && break
	done
	exec 7>&-
	wait $loader
	rm $tmp/watching $tmp/until
	# shellcheck disable=SC2086 # several
	wait $jobs
	anomalies >$tmp/odd.json
	cat $tmp/scribble.json $tmp/loop.json $tmp/load.json $tmp/odd.json
	check "$victim lives, no sanitizer spoke" unharmed "$victim" "$before"
	# The control plane trusts its own cache. Dead by its own memory is fair: its restart finds out by the check sums.
	[ ! -e $tmp/deaths ] || { echo "# $writer, whose own memory it is, died $(wc -l <$tmp/deaths) times" && cat $tmp/last_words; }
	line=$(cat $tmp/load.json)
	check "there were right answers" test "$(field right "$line")" -gt 100
	# Two flips in one record that cancel in a sum of 16 bits pass as none: a handful in a million. A short run may have one.
	check "no malformed replies" test $(($(field malformed "$line") * 10000)) -lt $((10000 + $(field right "$line")))
	# What workers hand to resolvers has a sum; without it some of a thousand replies would be wrong here.
	[ "$victim" = dataplane ] || check "next to none are wrong" test $(($(field wrong "$line") * 1000)) -lt "$(field right "$line")"
	check "what is odd is counted" odd "$victim"
	[ "$victim" = controlplane ] || check "the hops image had flips" jq -se 'map(.places.hops) | add > 0' $tmp/scribble.json
	check "$writer is started again" bash -c "'$lab' stop $writer && '$lab' start $writer"
	# A flip in a reply that a worker hands over is an answer like any other, and may have been kept.
	[ "$victim" = dataplane ] || check "what it heard meanwhile is flushed" weirctl cache flush --all
	check "and all is right again" load ask 60 200
	check "through the port" eventually by_port
	check "$victim lived through that" unharmed "$victim" "$before"
	audit_check
	check "down" "$lab" down
}

list=$tmp/scribble.list
for ((i = 0; i < 50; i++)); do echo "b$i.blocked.test"; done >$list
# CPU time that a host took away looks like the victim's own. A slow turn of the victim itself shows in each of three tries.
three_tries() { # three_tries VICTIM WRITER SLOW: SLOW prints how many turns took too long
	local try slow
	for try in 1 2 3; do
		scribble "$1" "$2"
		judges_speed || return
		slow=$($3)
		[ "$slow" = 0 ] && break
	done
	same "no turn of the $1 was of 10 ms, in one of $try runs" 0 "$slow"
}
slow_turns_of_worker() { jq -s 'map(.held_up) | add' $tmp/scribble.json; }
slow_turns_of_loop() { jq .turns_over_10_ms $tmp/loop.json; }

for victim in $victims; do
	case $victim in
	dataplane) three_tries dataplane controlplane slow_turns_of_worker ;;
	controlplane) three_tries controlplane dataplane slow_turns_of_loop ;;
	*) echo "no process: $victim" >&2; exit 2 ;;
	esac
done
finish
