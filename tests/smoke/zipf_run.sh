# SPDX-License-Identifier: BSD-3-Clause
# Sourced after _init.sh by refresh_test.sh and tools/chaos: a lab whose upstream is tests/zipf/zipf_upstream, and Zipf
# traffic that judges every reply. All sizes are variables zipf_*, to be set before.
zipf_bin=$WEIR_BUILD/tests/zipf
zipf_delay_ms=150
zipf_redis=

# zipf_up [YAML]: the lab, with YAML added to its configuration; zipf_redis=1: and a Redis of its own
zipf_up() {
	rm -f $tmp/zipf.count
	"$zipf_bin/zipf_upstream" 5303 $tmp/zipf.count "$zipf_ttl_min" "$zipf_ttl_max" $zipf_delay_ms &
	zipf_upstream=$!
	sleep 0.2
	"$lab" up --upstream 127.0.0.1:5303 || return
	[ -z "${1-}" ] || printf '%s\n' "$1" >>/run/weir/lab/weir.yaml
	if [ -n "$zipf_redis" ]; then
		redis-server --bind 127.0.0.1 --port 6399 --save '' --appendonly no --dir $tmp --logfile $tmp/redis.log &
		zipf_redis=$!
		printf 'redis:\n  mode: standalone\n  addresses: [127.0.0.1:6399]\n' >>/run/weir/lab/weir.yaml
	fi
	# Queries wait while the worker has no CPU, as they would in a NIC's larger queue.
	client ip link set wt0 txqueuelen 10000
	"$lab" stop controlplane && "$lab" start controlplane && eventually resolves www.zipf.test
}

zipf_down() {
	"$lab" down >/dev/null
	kill $zipf_upstream && wait $zipf_upstream
	[ -z "$zipf_redis" ] || { kill $zipf_redis && wait $zipf_redis; }
	return 0
}

zipf_rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$(pid controlplane)/status"; }
# What the parts say themselves: {"dataplane": counts, "l0": counts of the writer, "upstream": [questions, dropped], ...}
zipf_figures() {
	jq -n --argjson stats "$(weirctl --json stats --interval 0)" --argjson status "$(weirctl --json status)" \
		--argjson upstream "[$(od -An -v -t u8 -w8 $tmp/zipf.count | paste -sd,)]" --argjson rss "$(zipf_rss_kb)" \
		'{miss: $stats.dataplane.verdicts.miss, hit_stale: $stats.dataplane.verdicts.hit_stale,
		evicted: ([$status.controlplane | .. | objects | (.evicted_space? // 0) + (.evicted_bucket? // 0)] | add),
		questions: $upstream[0], dropped: $upstream[1], rss_kb: $rss, worker: ($stats.dataplane.counters | {turns_long, turns_long_us}),
		redis: ($status.controlplane.redis // {} | {state, keys, commands, errors, timeouts})}'
}

# zipf_traffic: asks, and writes the result to $tmp/zipf.json; fails when the generator does
zipf_traffic() {
	local before after load
	before=$(zipf_figures)
	client "$zipf_bin/zipf_load" $service "$zipf_rate" "$zipf_seconds" "$zipf_names" "$zipf_ttl_min" "$zipf_ttl_max" \
		"$zipf_hot" $zipf_delay_ms "$zipf_seed" >$tmp/zipf.load || return
	after=$(zipf_figures)
	load=$(cut -d' ' -f1-3 /proc/loadavg)
	jq -n --slurpfile traffic $tmp/zipf.load --argjson before "$before" --argjson after "$after" --arg load "$load" \
		--argjson refresh "$(weirctl --json refresh stats)" --argjson seed "$zipf_seed" '
		$traffic[0] as $t | ($after.questions - $before.questions) as $asked
		| {goal: "chaos", case: "zipf", seed: $seed, hot_names: $t.hot.names, hot_filled: $t.hot.filled,
			late_hot: ($t.hot.missed + $t.hot.stale), late_warm: ($t.warm.missed + $t.warm.stale),
			late_hot_without: $t.hot.late_without, late_warm_without: $t.warm.late_without,
			sent: $t.sent, answers: $t.answers, wrong: $t.wrong, unanswered: $t.unanswered,
			misses: $t.misses, misses_without: $t.misses_without,
			upstream: $asked, upstream_without: $t.upstream_without,
			upstream_per_saved_miss: (if $t.misses_without > $t.misses
				then ($asked - $t.upstream_without) / ($t.misses_without - $t.misses) else null end),
			dataplane: {miss: ($after.miss - $before.miss), hit_stale: ($after.hit_stale - $before.hit_stale)},
			evicted: $after.evicted, upstream_dropped: $after.dropped, redis: $after.redis, worker: $after.worker,
			controlplane_rss_kb: [$before.rss_kb, $after.rss_kb],
			refresh: ($refresh | {sweep_took_ms, planned, day: .day}), classes: ($t | {hot, warm, cold}), load: $load}' \
		>$tmp/zipf.json
}
zipf() { jq -r "$@" $tmp/zipf.json; }
