#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The query log in a current ClickHouse engine, with the real binaries: what a server of that age has (LowCardinality, zstd,
# TTL, tokens of chunks), ends of inserts that say nothing, a schema to migrate, retention, and each panel of the dashboard.
. "$(dirname "$0")/_init.sh"
ch_engine=$("$root/tools/test" engine) || { echo "skipped: no current ClickHouse engine (tools/test fetches it by npm)"; exit 77; }
. "$(dirname "$0")/clickhouse_lib.sh"
lab_up
ch_config 5

check "without a server the sink says so" eventually ch_is state failing
ch_ask ok-1.early.test ok-2.early.test
check "and rows wait on disk" eventually eval '[ "$(ch_state spool_files)" -ge 1 ]'
check "the engine starts, and its first inserts end badly" ch_start_current 5 behind,before
check "the sink is up" eventually ch_is state up
version=$(ch_state server_version)
check "and knows its version: $version" test "${version%%.*}" -ge 25
check "what was asked before is there" eventually ch_found 5 1 ok-2.early.test
ch_ask ok-1.ends.test
check "so is what was asked then" eventually ch_found 5 1 ok-1.ends.test
check "once the version was known in zstd" grep -q "^zstd done" $tmp/ch5.out
check "ends that said nothing were looked into" test "$(ch_state unclear_ends)" -ge 2 -a "$(ch_state found_inserts)" -ge 1

ch_ask ads.lab.example ok-3.late.test ok-3.late.test nx-3.late.test
ch_ask_tcp ok-4.tcp.test
check "two of one name" eventually ch_found 5 2 ok-3.late.test
check "one over TCP" eventually ch_found 5 1 ok-4.tcp.test
ch_odd_names 5
ch_whole 5
here() {
	weirctl --json log search --limit 500 | jq -r '.rows[] | select(.box | startswith("it")) |
		"\(.time_us) \(.qname) \(.client) \(.verdict) \(.list) \(.weight) \(.rcode) \(.total_us) \(.transport)"' | sort
}
there() {
	ch_sql 5 "SELECT toUInt64(toUnixTimestamp(time)) * 1000000 + time_us, qname, client, verdict, list, weight, rcode,
		total_us, transport FROM weir.queries FORMAT TSVRaw" | tr '\t' ' ' | sort
}
check "and as this box has it" eventually eval '[ -n "$(here)" ] && [ "$(here)" = "$(there)" ]'
check "each panel's query finds something" $python "$smoke_dir/rig/dashboards.py" clickhouse-filled http://127.0.0.1:8125/
ch_sql 5 "INSERT INTO weir.queries (time, box, weight, verdict) VALUES (now(), 'debt', 1000, 'unlogged')"
same "queries without a row are those of a box, and no item else" "debt 1000 |ok-3.late.test 2" "$(weirctl --json fleet top --since 1h |
	jq -r '"\(.boxes[0] | "\(.text) \(.queries)") \([.names, .clients, .blocked | .[] | select(.text == "").text] | join(" "))|\(.names[] | select(.text == "ok-3.late.test") | "\(.text) \(.queries)")"')"
made() { ch_sql 5 "SHOW CREATE TABLE weir.queries FORMAT TSVRaw"; }
check "words are of few" grep -q 'verdict. LowCardinality(String)' <(made)
check "rows have a time to live" grep -q 'TTL time + toIntervalHour(168)' <(made)
check "whole parts go when they are too old" grep -q 'ttl_only_drop_parts = 1' <(made)
check "columns have codecs" grep -q 'CODEC(Delta' <(made)
check "clients and names have indexes" grep -q 'INDEX by_name qname TYPE bloom_filter' <(made)
same "an address is one, of both families" "::ffff:198.18.0.2" "$(ch_sql 5 "SELECT DISTINCT client_ip FROM weir.queries
	WHERE qname = 'ok-4.tcp.test' FORMAT TSVRaw")"
same "and is found by" 1 "$(ch_sql 5 "SELECT count() > 0 FROM weir.queries WHERE client_ip = toIPv6('::ffff:198.18.0.2')")"
same "a time has its microseconds" 0 "$(ch_sql 5 "SELECT countIf(toUnixTimestamp64Micro(at) !=
	toUInt64(toUnixTimestamp(time)) * 1000000 + time_us) FROM weir.queries")"
same "the server knows chunks by their tokens" true "$(ch_state deduplicates)"
check "blocks are known again" grep -q 'non_replicated_deduplication_window = 1000' <(made)

# A table of an older weir, old rows, and other hours.
ch_sql 5 "ALTER TABLE weir.queries DROP COLUMN list"
ch_sql 5 "INSERT INTO weir.queries (time, box, weight)
	VALUES (toDateTime('2001-01-01 00:00:00'), 'old', 1)"
ch_sql 5 "INSERT INTO weir.queries (time, box, weight) SELECT now() - (number + 1) * 86400, 'days', 1 FROM numbers(3)"
sed -i 's/flush_ms: 200/flush_ms: 200, hours: 100/' /run/weir/lab/weir.yaml
check "the control plane starts again" ch_restart
ch_ask ok-9.column.test
check "a missing column is added" eventually ch_found 5 1 ok-9.column.test
same "at its place" "tier list upstream" "$(ch_sql 5 "SELECT name FROM system.columns WHERE database = 'weir' AND
	table = 'queries' AND name IN ('tier', 'list', 'upstream') ORDER BY position" | paste -sd' ')"
check "the time to live follows" grep -q 'toIntervalHour(100)' <(made)
check "rows over their hours go" eventually ch_old_gone 5
ch_sql 5 "DROP DATABASE weir"
ch_ask ok-8.dropped.test
check "the dropped schema is made again" eventually ch_found 5 1 ok-8.dropped.test
ch_kill 5
finish
