#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One of two workers is held still, wherever it is: weir goes on without it, new rules and new answers included, and takes it
# back when it runs again.
. "$(dirname "$0")/_init.sh"

cpus=($(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }'))
[ ${#cpus[@]} -ge 2 ] || { echo "skipped: needs two CPUs"; exit 77; }
lab_up
"$lab" stop dataplane
# Busy: a worker that is held while it sleeps holds nothing, and nothing waits for it.
sed -i "s/^  worker_lcores: .*/  worker_lcores: [${cpus[0]}, ${cpus[1]}]/; s/poll: .*/poll: busy/" $config
check "two workers" eval 'weirctl config reload && "$lab" start dataplane'
check "they answer" eventually resolves ok-3000.cached.test
generations() { weirctl --json status | jq ".controlplane.generations.$1"; }
worker() { weirctl --json stats --interval 0 | jq ".dataplane.workers[$1].$2"; }
thread() { # of worker N
	basename "$(dirname "$(grep -lE "^(rte|lcore|dpdk)-worker-?${cpus[$1]}\$" /proc/"$(pid dataplane)"/task/*/comm | head -1)")"
}
# Clients with many ports, some of whom the other worker serves.
answered() { # NAME: by one client of eight at least
	local i
	for i in 1 2 3 4 5 6 7 8; do
		client kdig +short +timeout=1 +retry=0 @$service "$1" A | grep -q 198.18.200.1 && return
	done
	return 1
}
reload() { echo "$1.test" >>$list && weirctl blocklist reload; }
active() { [ "$(weirctl --json status | jq '.dataplane.rule_image_generation')" = "$(generations rule_image)" ]; }
entries() { weirctl --json cache stats | jq .l0.entries; }
retired() { [ "$(generations retired_waiting)" = 0 ]; }
evicted() { [ "$(generations workers_evicted)" = "$1" ]; }

held=$tmp/held
hold() { # worker N, until `release`
	$python "$smoke_dir/rig/hold_thread.py" "$(thread "$1")" $held &
	holder=$!
	eventually test -e $held
}
release() { rm $held && wait $holder; }

for i in 1 0; do
	check "worker $i is held still" hold $i
	check "weir goes on without it" eventually evicted 1
	check "weirctl status says so" grep -q 'warning: workers that hang: 1;' <(weirctl status)
	check "so does the log" eventually grep -q "worker $i hangs" /run/weir/lab/controlplane.log
	for n in 1 2 3 4 5; do
		check "reload $n is published" eventually reload "held-$i-$n"
		check "and active in the other worker" eventually active
	done
	check "no old image is kept here" eventually retired
	had=$(entries)
	check "a new name is answered" eventually answered "ok-3000.held-$i.test"
	check "and stored" test "$(entries)" -gt "$had"
	before=$(worker $i counters.evictions)
	check "released" release
	check "it is back" eventually evicted 0
	knows() { [ "$(worker $i counters.evictions)" = $((before + 1)) ]; }
	check "and knows it" eventually knows
	check "with the newest rules" eventually active
	same "the same data plane" 0 "$(grep -c 'out of memory\|fault' /run/weir/lab/dataplane.log)"
done
same "evictions" 2 "$(generations evictions)"
check "both answer" eventually resolves ok-3000.cached.test
check "all is blocked that was added" eventually blocks held-0-5.test
same "no record is damaged" 0 "$(dp counter record_anomaly)"
check "every frame has one verdict" verdicts_add_up
finish
