#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The query log in Debian's ClickHouse, with the real binaries: each query is a row there, once, though the server
# comes late, is killed, is stopped for a while and loses its tables.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/clickhouse_lib.sh"
lab_up
ch_config 1

check "without a server the sink says so" eventually ch_is state failing
ch_ask ok-1.early.test ok-2.early.test
check "and rows wait on disk" eventually eval '[ "$(ch_state spool_files)" -ge 1 ]'
check "status has a line" eval 'weirctl status | grep -q "^clickhouse  *failing.* wait on disk"'
check "the server starts" ch_start 1
check "the sink is up" eventually ch_is state up
same "and knows its version" 18.16 "$(ch_state server_version)"
check "what was asked before is there" eventually ch_found 1 1 ok-2.early.test

ch_ask ads.lab.example ok-3.late.test ok-3.late.test
ch_ask_tcp ok-4.tcp.test
check "two of one name" eventually ch_found 1 2 ok-3.late.test
check "one over TCP" eventually ch_found 1 1 ok-4.tcp.test
check "the blocked one" eventually ch_found 1 1 ads.lab.example # by a worker: behind others perhaps
same "a blocked one, with its list" "blocked rules 1 1" "$(ch_sql 1 "SELECT DISTINCT verdict, tier, blocked, list != ''
	FROM weir.queries WHERE qname = 'ads.lab.example'" | tr '\t' ' ')"
same "whose client, transport, type and code are right" "198.18.0.2 tcp 1 1 0 -1" \
	"$(ch_sql 1 "SELECT client, transport, qtype, qclass, rcode, ede FROM weir.queries WHERE qname = 'ok-4.tcp.test'" | tr '\t' ' ')"
same "and time" 1 "$(ch_sql 1 "SELECT count() FROM weir.queries WHERE qname = 'ok-4.tcp.test'
	AND abs(toUInt32(now()) - toUInt32(time)) < 120 AND time_us < 1000000")"
same "the box's name is as it was written" "it's a \\ box" "$(ch_sql 1 "SELECT DISTINCT box FROM weir.queries FORMAT TabSeparatedRaw")"
same "the names of all boxes are counted there" 2 "$(weirctl --json fleet top --since 1h | jq '.names[] | select(.text == "ok-3.late.test").queries')"

ch_odd_names 1
as_stored() {
	weirctl --json log search --name evil.test --limit 100 | jq -r '.rows[].qname' | sort -u >$tmp/stored
	ch_sql 1 "SELECT DISTINCT qname FROM weir.queries WHERE qname LIKE '%.evil.test' FORMAT TabSeparatedRaw" |
		sort -u | cmp - $tmp/stored
}
check "as the store has them" eventually as_stored

ch_kill 1
ch_ask ok-5.down.test ok-6.down.test
check "killed, the server is missed" eventually ch_is state failing
check "it starts again" ch_start 1
check "what was asked meanwhile arrives" eventually ch_found 1 1 ok-6.down.test
stop "$(ch_pid 1)"
ch_ask ok-7.stopped.test
sleep 1
kill -CONT "$(ch_pid 1)"
check "what was asked while it hung arrives" eventually ch_found 1 1 ok-7.stopped.test
ch_whole 1

# A table of an older weir, and old rows.
ch_sql 1 "DROP DATABASE weir"
ch_ask ok-8.dropped.test
check "the dropped schema is made again" eventually ch_found 1 1 ok-8.dropped.test
ch_sql 1 "INSERT INTO weir.queries (time, box, weight) VALUES (toDateTime('2001-01-01 00:00:00'), 'old', 1)"
# Rows of the days before prove that the clock is right: one that is far ahead deletes nothing.
ch_sql 1 "INSERT INTO weir.queries (time, box, weight) SELECT now() - (number + 1) * 86400, 'days', 1 FROM numbers(3)"
ch_sql 1 "ALTER TABLE weir.queries DROP COLUMN list"
check "the control plane starts again" ch_restart
ch_ask ok-9.column.test
check "a missing column is added" eventually ch_found 1 1 ok-9.column.test
same "at its place" "tier list upstream" "$(ch_sql 1 "SELECT name FROM system.columns WHERE database = 'weir' AND
	table = 'queries' AND name IN ('tier', 'list', 'upstream')" | paste -sd' ')"
check "rows over their hours go" eventually ch_old_gone 1
same "no others" 3 "$(ch_sql 1 "SELECT count() FROM weir.queries WHERE box = 'days'")"
same "the box left its limits" 168 "$(ch_sql 1 "SELECT hours FROM weir.queries_limits FINAL WHERE box LIKE 'it%'")"
ch_sql 1 "INSERT INTO weir.queries_limits (box, hours, max_bytes, rollup_days, seen) VALUES ('attic', 400, 0, 90, now())"
check "the control plane starts again" ch_restart
ch_ask ok-10.limits.test
check "another box's wider limit holds" eventually ch_is table_limits.hours 400
same "and is said to be that box's" attic "$(ch_state table_limits.hours_of_box)"
echo wrong >$tmp/password
check "with a wrong password it starts" ch_restart
check "and reports why" eventually eval 'ch_state why | grep -q "assword"'
finish
