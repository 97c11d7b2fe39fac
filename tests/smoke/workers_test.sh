#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Workers added and removed at a restart of the data plane: the cache stays, each worker has its queues, core and counts.
. "$(dirname "$0")/_init.sh"

cpus=($(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }'))
[ ${#cpus[@]} -ge 2 ] || { echo "skipped: needs two CPUs"; exit 77; }
upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
# Many client ports, so that the hash of the kernel's TAP spreads them over the queues.
flood() { for i in $(seq 24); do short "ok-3000.c$i.test" A; done | grep -c 198.18.200.1; }
asked() { up_log | grep -c ' ok-3000\.c[0-9]*\.test '; }
names_asked() { up_log | grep -o ' ok-3000\.c[0-9]*\.test ' | sort -u | wc -l; }
worker() { weirctl --json stats --interval 0 | jq ".dataplane.workers[$1].$2"; }
restart() { # WORKER_LCORES
	"$lab" stop dataplane && sed -i "s/^  worker_lcores: .*/  worker_lcores: [$1]/" $config && weirctl config reload >/dev/null && "$lab" start dataplane
	eventually resolves ok-3000.c1.test && activated
}

same "one worker answers" 24 "$(flood)"
same "each name was asked for" 24 "$(names_asked)"
# An upstream that is late by 50 ms gets a query twice, so there may be more than 24 up to here, and none from here on.
asked=$(asked)
check "a second worker, which shares the core of main" restart "${cpus[0]}, ${cpus[1]}"
same "there are two" 2 "$(weirctl --json stats --interval 0 | jq '.dataplane.workers | length')"
same "each on its core" "${cpus[0]} ${cpus[1]}" "$(worker 0 lcore) $(worker 1 lcore)"
for i in 0 1; do
	tid=$(grep -lE "^(rte|lcore|dpdk)-worker-?${cpus[i]}\$" /proc/"$(cut -d' ' -f1 /run/weir/lab/dataplane.pid)"/task/*/comm | head -1)
	same "pinned there" "${cpus[i]}" "$(taskset -cp "$(basename "$(dirname "$tid")")" | sed 's/.*: //')"
done
same "all is answered" 24 "$(flood)"
same "from the cache, for either worker" "$asked" "$(asked)"
for _ in $(seq 10); do
	[ "$(worker 0 counters.rx_frames)" -gt 0 ] && [ "$(worker 1 counters.rx_frames)" -gt 0 ] && break
	flood >/dev/null
done
check "the first has had queries" test "$(worker 0 counters.rx_frames)" -gt 0
check "and the second" test "$(worker 1 counters.rx_frames)" -gt 0
same "a miss is answered" 198.18.200.1 "$(short ok.new.test A)"
check "every frame has one verdict" verdicts_add_up
check "back to one" restart "${cpus[1]}"
same "there is one" 1 "$(weirctl --json stats --interval 0 | jq '.dataplane.workers | length')"
same "all is answered" 24 "$(flood)"
same "from the cache" "$asked" "$(asked)"
own_rings() { [ "$(ls /run/weir 2>/dev/null | grep '^rings' | xargs)" = rings.0 ]; }
check "no rings of a former worker are left" eventually own_rings
finish
