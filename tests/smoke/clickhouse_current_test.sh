#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The query log in a current ClickHouse engine, with the real binaries: what a server of that age has (LowCardinality, zstd,
# TTL, tokens of chunks), ends of inserts that say nothing, a schema to migrate, retention, and each panel of the dashboard.
. "$(dirname "$0")/_init.sh"
ch_engine=$("$root/tools/test" engine) || { echo "skipped: no current ClickHouse engine (tools/test fetches it by npm)"; exit 77; }
. "$(dirname "$0")/clickhouse_lib.sh"
lab_up
ch_config 5

ask() { for name; do short "$name" A; done >/dev/null; }
rows() { ch_sql 5 "SELECT count(), sum(weight) FROM weir.queries"; }
sent() { weirctl --json stats --interval 0 | jq -r '.controlplane.clickhouse | "\(.rows)\t\(.weight)"'; }
found() { [ "$(ch_sql 5 "SELECT sum(weight) FROM weir.queries WHERE qname = '$2'")" = "$1" ]; }

check "without a server the sink says so" eventually ch_is state failing
ask ok-1.early.test ok-2.early.test
check "and rows wait on disk" eventually eval '[ "$(ch_state spool_files)" -ge 1 ]'
check "the engine starts, and its first inserts end badly" ch_start_current 5 behind,before
check "the sink is up" eventually ch_is state up
version=$(ch_state server_version)
check "and knows its version: $version" test "${version%%.*}" -ge 25
check "what was asked before is there" eventually found 1 ok-2.early.test
ask ok-1.ends.test
check "so is what was asked then" eventually found 1 ok-1.ends.test
check "once the version was known in zstd" grep -q "^zstd done" $tmp/ch5.out
check "ends that said nothing were looked into" test "$(ch_state unclear_ends)" -ge 2 -a "$(ch_state found_inserts)" -ge 1

ask ads.lab.example ok-3.late.test ok-3.late.test nx-3.late.test
client kdig +tcp +short +timeout=2 @$service ok-4.tcp.test A >/dev/null
check "two of one name" eventually found 2 ok-3.late.test
check "one over TCP" eventually found 1 ok-4.tcp.test
client $python "$smoke_dir/odd_names.py" $service evil.test
five() { [ "$(ch_sql 5 "SELECT uniqExact(qname) FROM weir.queries WHERE qname LIKE '%.evil.test'")" = 5 ]; }
check "five hostile names arrive" eventually five
check "all of it was sent" eventually ch_all_sent
same "each row once, with its weight" "$(sent)" "$(rows)"
here() {
	weirctl --json log search --limit 500 | jq -r '.rows[] | select(.box | startswith("it")) |
		"\(.time_us) \(.qname) \(.client) \(.verdict) \(.list) \(.weight) \(.rcode) \(.total_us) \(.transport)"' | sort
}
there() {
	ch_sql 5 "SELECT toUInt64(toUnixTimestamp(time)) * 1000000 + time_us, qname, client, verdict, list, weight, rcode,
		total_us, transport FROM weir.queries FORMAT TSVRaw" | tr '\t' ' ' | sort
}
check "and as this box has it" eventually eval '[ -n "$(here)" ] && [ "$(here)" = "$(there)" ]'
same "the sum by minutes is that of the rows" "$(ch_sql 5 "SELECT sum(weight), sum(reply_len * weight) FROM weir.queries")" \
	"$(ch_sql 5 "SELECT sum(queries), sum(reply_octets) FROM weir.queries_minute")"
same "and that by latency that of the answered" "$(ch_sql 5 "SELECT sum(weight) FROM weir.queries WHERE answered = 1")" \
	"$(ch_sql 5 "SELECT sum(queries) FROM weir.queries_latency")"
check "each panel's query finds something" $python "$smoke_dir/dashboards.py" clickhouse-filled http://127.0.0.1:8125/
same "nothing is lost" "0 0 0 0" "$(weirctl --json status | jq -r '.controlplane.clickhouse | "\(.dropped_rows) \(.lost_rows) \(.refused_rows) \(.partial_rows)"')"
made() { ch_sql 5 "SHOW CREATE TABLE weir.queries FORMAT TSVRaw"; }
check "words are of few" grep -q 'verdict. LowCardinality(String)' <(made)
check "rows have a time to live" grep -q 'TTL time + toIntervalHour(168)' <(made)
check "blocks are known again" grep -q 'non_replicated_deduplication_window = 1000' <(made)

# A table of an older weir, old rows, and other hours.
ch_sql 5 "ALTER TABLE weir.queries DROP COLUMN list"
ch_sql 5 "INSERT INTO weir.queries (time, box, weight)
	VALUES (toDateTime('2001-01-01 00:00:00'), 'old', 1)"
sed -i 's/flush_ms: 200/flush_ms: 200, hours: 100/' /run/weir/lab/weir.yaml
check "the control plane starts again" eval '"$lab" stop controlplane && "$lab" start controlplane'
ask ok-9.column.test
check "a missing column is added" eventually found 1 ok-9.column.test
same "at its place" "tier list upstream" "$(ch_sql 5 "SELECT name FROM system.columns WHERE database = 'weir' AND
	table = 'queries' AND name IN ('tier', 'list', 'upstream') ORDER BY position" | paste -sd' ')"
check "the time to live follows" grep -q 'toIntervalHour(100)' <(made)
old_gone() { [ "$(ch_sql 5 "SELECT count() FROM weir.queries WHERE box = 'old'")" = 0 ]; }
check "rows over their hours go" eventually old_gone
ch_sql 5 "DROP DATABASE weir"
ask ok-8.dropped.test
check "the dropped schema is made again" eventually found 1 ok-8.dropped.test
ch_kill 5
finish
