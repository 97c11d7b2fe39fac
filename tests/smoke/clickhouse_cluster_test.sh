#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The query log in a Distributed table over two ClickHouse servers: each row is on one of them, once.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/clickhouse_lib.sh"
lab_up
columns="time DateTime('UTC'), time_us UInt32, box String, run UInt64, chunk UInt64, weight UInt64, client String,
	client_port UInt16, client_name String, client_group String, qname String, qtype UInt16, qclass UInt16,
	transport String, verdict String, tier String, list String, upstream String, answered UInt8, blocked UInt8,
	rcode UInt16, ede Int32, dataplane_us UInt32, total_us UInt32, query_len UInt16, reply_len UInt16"
for i in 3 4; do
	check "server $i starts" ch_start $i
	ch_sql $i "CREATE DATABASE weir"
	ch_sql $i "CREATE TABLE weir.queries_here ($columns) ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) ORDER BY (time, qname)"
done
check "the table over both is made" \
	ch_sql 3 "CREATE TABLE weir.queries AS weir.queries_here ENGINE = Distributed(both, weir, queries_here, chunk)"
ch_config 3
says() { weirctl status | grep -q "$1"; }
check "an older table: weir says what it lacks" eventually says 'without column validation: add it as String'
for i in 3 4; do ch_sql $i "ALTER TABLE weir.queries_here ADD COLUMN validation String"; done
ch_sql 3 "ALTER TABLE weir.queries ADD COLUMN validation String"
check "the sink is up" eventually ch_is state up
same "and knows what it has" true "$(ch_state distributed)"
weight() { ch_sql $1 "SELECT sum(weight) FROM weir.queries_here WHERE qname LIKE '%$2'"; }
in_all() { [ $(($(weight 3 $2) + $(weight 4 $2))) = "$1" ]; }
chunks_are() { [ "$(ch_state inserts)" -ge "$1" ]; }
for i in 1 2 3 4; do
	ch_ask ok-$i.spread.test
	check "insert $i" eventually chunks_are $i
done
check "all rows are there" eventually in_all 4 spread.test
check "some here" test "$(weight 3 spread.test)" -ge 1
check "some there" test "$(weight 4 spread.test)" -ge 1
check "all of it is confirmed" eventually ch_all_sent
ch_kill 4
for i in 1 2 3 4; do
	ch_ask ok-$i.down.test
	sleep 0.3
done
check "without one server the sink fails in the end" eventually ch_is state failing
check "it starts again" ch_start 4
check "all rows are there, once" eventually in_all 4 down.test
check "all of it was sent" eventually ch_all_sent
same "both have what was sent" "$(ch_state rows)" \
	"$(($(ch_sql 3 "SELECT count() FROM weir.queries_here") + $(ch_sql 4 "SELECT count() FROM weir.queries_here")))"
finish
