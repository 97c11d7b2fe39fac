#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Debian's ClickHouse fails in every way, with the real binaries: weir reports it, no row is lost or stored twice, and
# memory stays. STOPPED_S=60: with the server away for as long.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/clickhouse_lib.sh"
mkdir -p $tmp/ch1/data
mount -t tmpfs -o size=64m tmpfs $tmp/ch1/data # a disk of its own, which can be full
lab_up
ch_config 1 8129
echo pass >$tmp/mode
$python "$smoke_dir/rig/clickhouse_proxy.py" 8129 8121 $tmp/mode &
check "the server starts" ch_start 1
check "the sink is up" eventually ch_is state up

asked=0
ask() { # NAME: three queries, three rows
	local i
	for i in 1 2 3; do ch_ask ok-$i.$1.test; done
	asked=$((asked + 3))
}
there() { [ "$(ch_sql 1 "SELECT sum(weight) FROM weir.queries WHERE qname LIKE '%.$1.test'")" = 3 ]; }
status_says() { weirctl status | grep -q "^clickhouse  *$1"; }
waits() { status_says ".* in [1-9][0-9]* files wait on disk"; }
held_kb() { weirctl --json mem accounts | jq '.process.allocated / 1024 | floor'; } # pages are touched while caches warm up
# Other settings have it try at once; they take effect without a restart.
flush_ms=200
renew() {
	flush_ms=$((flush_ms + 1))
	sed -i "s/flush_ms: [0-9]*/flush_ms: $flush_ms/" /run/weir/lab/weir.yaml
	weirctl config reload
}
each_once() { [ "$(ch_sent)" = "$(ch_sql 1 "SELECT count() + $gone_rows, sum(weight) + $gone_weight FROM weir.queries")" ]; }
# Each row once, none waits, no memory grew by more than a chunk or two. (That of a control plane that is watched is its
# sanitizer's, or valgrind's.)
whole() { # FAULT
	check "$1: what was asked is there" eventually there $1
	check "$1: all of it was sent" eventually ch_all_sent
	check "$1: each once" eventually each_once
	check "$1: nothing waits" eventually ch_is spool_files 0 # as the maker says each 200 ms, behind what was sent
	same "$1: nothing is lost" "0 0 0 0" "$(ch_lost)"
	check "$1: status says up" eventually status_says "up, "
	[ -n "${WEIR_CONTROLPLANE-}" ] || check "$1: memory is as it was" eventually eval '[ "$(held_kb)" -le $((first_kb + 1536)) ]'
}
gone_rows=0 gone_weight=0
ask well
check "rows arrive" eventually there well
first_kb=$(held_kb)

ch_kill 1
ask stopped
check "stopped: status says so" eventually status_says "failing.*(\(schema\|insert\|count\): "
for _ in $(seq ${STOPPED_S:-1}); do short ok-9.while.test A >/dev/null && sleep 1; done
check "stopped: rows wait on disk" eventually waits
check "stopped: it starts again" ch_start 1
renew >/dev/null
whole stopped

echo slow 1 >$tmp/mode
ask slow
check "slow: what was asked is there" eventually there slow
check "slow: status has no failure" status_says "up, "
echo pass >$tmp/mode
whole slow

echo error >$tmp/mode
ask error
check "error: status says 500" eventually status_says "failing.*HTTP status 500: out of order"
check "error: ready says so" eventually eval 'weirctl ready | grep -q "but: ClickHouse takes no rows: .*HTTP status 500"'
check "error: which is not strictly ready" eval '! weirctl ready --strict'
check "error: rows wait on disk" eventually waits
echo pass >$tmp/mode
renew >/dev/null
whole error

echo cut >$tmp/mode
ask cut
check "cut: status says so" eventually status_says "failing.*insert: "
check "cut: rows wait on disk" eventually waits
echo lost >$tmp/mode # and now it gets them, and does not say so
renew >/dev/null
check "cut: what was asked is there" eventually there cut
echo pass >$tmp/mode
whole cut

echo wrong >$tmp/password
renew >/dev/null
ask password
check "password: status says so" eventually status_says "failing.*assword"
check "password: rows wait on disk" eventually waits
printf '%s\n' "$ch_password" >$tmp/password
check "password: the right one takes effect" renew
whole password

dd if=/dev/zero of=$tmp/ch1/data/filler bs=1M 2>/dev/null
ask full
check "full: status says so" eventually status_says "failing.*code "
check "full: rows wait on disk" eventually waits
rm $tmp/ch1/data/filler
renew >/dev/null
whole full

gone_rows=$(ch_sql 1 "SELECT count() FROM weir.queries") gone_weight=$(ch_sql 1 "SELECT sum(weight) FROM weir.queries")
ch_sql 1 "DROP DATABASE weir"
ask dropped
whole dropped

echo limit 400 >$tmp/mode
for i in $(seq 40); do echo "ok-$i.large.test A"; done >$tmp/names
client dnsperf -s $service -d $tmp/names -n 1 -l 5 >/dev/null 2>&1
many() { [ "$(ch_sql 1 "SELECT uniqExact(qname) FROM weir.queries WHERE qname LIKE '%.large.test'")" = 40 ]; }
check "too large: it is cut until it goes" eventually many
check "too large: and counted" eventually eval '[ "$(ch_state cut_inserts)" -ge 1 ]'
echo pass >$tmp/mode
ask large2
whole large2
finish
