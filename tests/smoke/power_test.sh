#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An idle worker on TAP sleeps, its ports and its answers wake it, and nothing that comes out of a silence is lost.
. "$(dirname "$0")/_init.sh"

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
pid=$(cut -d' ' -f1 /run/weir/lab/dataplane.pid)

cpu_ns() { # of the worker's thread
	local task
	for task in /proc/"$pid"/task/*; do
		grep -q -E '^(rte|lcore|dpdk)-worker' "$task/comm" && cut -d' ' -f1 "$task/schedstat"
	done
}
# percent SECONDS: of a core, that the worker took
percent() {
	local before
	before=$(cpu_ns)
	sleep "$1"
	echo $((($(cpu_ns) - before) / ($1 * 10000000)))
}
# leaves_core MOST: one of five looks is under that. The kernel may count time that other machines took from ours as the
# worker's, so a single look proves nothing; a worker that does not sleep is over it in each.
leaves_core() {
	local took
	for _ in 1 2 3 4 5; do
		took=$(percent 3)
		echo "$took % of a core"
		[ "$took" -lt "$1" ] && return
	done
	return 1
}
# A look of weirctl is a silence of its own for a worker.
counter() { weirctl --json stats --interval 0 | jq ".dataplane.counters.$1"; }

sleep 1
check "an idle worker leaves its core" leaves_core 15
check "it sleeps" test "$(counter sleeps)" -ge 20
check "weirctl says so" grep -q 'workers asleep' <<<"$(weirctl stats)"
woken=$(counter sleeps_woken)
asked=0
for i in $(seq 20); do
	sleep 0.1
	short "v4-$i.power.example" A | grep -q . && asked=$((asked + 1))
done
same "misses out of silences are answered" 20 $asked
check "ports and answers end sleeps" test $(($(counter sleeps_woken) - woken)) -ge 20
lost=$(client $python -c "
import socket, sys, time
sys.path.insert(0, '$smoke_dir/rig')
import wire
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
sock.settimeout(30)
sock.connect(('$service', 53))
lost = 0
for _ in range(10):
    time.sleep(0.15)
    waiting = set(range(200))
    for i in waiting:
        sock.send(wire.query('v4-1.power.example', ident=i))
    try:
        while waiting:
            waiting.discard(int.from_bytes(sock.recv(4096)[:2], 'big'))
    except TimeoutError:
        lost += len(waiting)
print(lost)")
same "bursts out of silences lose nothing" 0 "$lost"
sleep 1.2
check "every frame has one verdict" verdicts_add_up

# A port that is gone must not keep the worker awake.
client ip link del wt0
sleep 1
check "without its port it still leaves the core" leaves_core 30
audit_check
check "and stops on request" "$lab" down
finish
