#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The query log with two ClickHouse servers in the list of URLs, of which one is killed: each row is at one of them, once.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/clickhouse_lib.sh"
# An insert without a reply is repeated at another server, so its row may be at both.
confirmed_kill() { check "server $1 has confirmed all rows" eventually ch_all_sent && ch_kill $1; }
lab_up
for i in 1 2; do check "server $i starts" ch_start $i; done
ch_config_urls 1 2
check "the sink is up" eventually ch_is state up
same "at the first URL of two" "http://127.0.0.1:8121/ 1 2" "$(ch_state url) $(ch_state url_number) $(ch_state urls)"
ch_ask ok-1.first.test
check "the first server has the row" eventually ch_found 1 1 ok-1.first.test

confirmed_kill 1
ch_ask ok-2.second.test ok-3.second.test
check "without it the second server has the rows" eventually ch_found 2 1 ok-3.second.test
check "the sink is up" eventually ch_is state up
same "at the second URL" "2 1" "$(ch_state url_number) $(ch_state failovers)"
same "and nothing waits on disk" 0 "$(ch_state spool_files)"
check "status names it" eval 'weirctl status | grep -q "^clickhouse  *up, .*, at http://127.0.0.1:8122/ (2 of 2)"'
check "log status too" eval 'weirctl log status | grep -q "^ *clickhouse .*http://127.0.0.1:8122/"'
check "and the metrics" eval 'weirctl metrics | grep -qF "weir_clickhouse_url_info{url=\"http://127.0.0.1:8122/\"} 1"'
check "ready says nothing of it" eval '! weirctl --json ready | jq -r ".degraded[]?" | grep -i clickhouse'

check "the first server starts again" ch_start 1
ch_ask ok-4.stays.test
check "the sink stays where it is" eventually ch_found 2 1 ok-4.stays.test
confirmed_kill 2
ch_ask ok-5.back.test
check "the second one killed, the first one has the rows" eventually ch_found 1 1 ok-5.back.test
confirmed_kill 1
ch_ask ok-6.none.test
check "without both the sink fails" eventually ch_is state failing
check "and rows wait on disk" eventually eval '[ "$(ch_state spool_files)" -ge 1 ]'
check "the second server starts again" ch_start 2
check "it has them" eventually ch_found 2 1 ok-6.none.test

check "the first server starts again" ch_start 1
check "all of it was sent" eventually ch_all_sent
same "both have what was sent, once" "$(ch_sent)" "$(for i in 1 2; do
	ch_sql $i "SELECT count(), sum(weight) FROM weir.queries"
done | awk '{r += $1; w += $2} END {print r "\t" w}')"
same "nothing is lost" "0 0 0 0" "$(ch_lost)"
same "nothing is at both" 0 "$(ch_state uncertain_rows)"
finish
