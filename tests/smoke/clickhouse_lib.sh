# SPDX-License-Identifier: BSD-3-Clause
# A ClickHouse server for smoke tests, sourced behind _init.sh: Debian's, on 127.0.0.1, its data in $tmp; or with $ch_engine
# (the library) set a current engine behind clickhouse_current.py.

[ -n "${ch_engine-}" ] || command -v clickhouse-server >/dev/null || { echo "skipped: no clickhouse-server"; exit 77; }
. "$root/tools/clickhouse.sh"

# ch_start NUMBER: a server of its own data; HTTP on port 812NUMBER.
ch_start() {
	local dir=$tmp/ch$1
	write_clickhouse $dir 127.0.0.1 812$1 900$1 "<remote_servers><both>
		<shard><replica><host>127.0.0.1</host><port>9003</port></replica></shard>
		<shard><replica><host>127.0.0.1</host><port>9004</port></replica></shard>
		</both></remote_servers>"
	clickhouse-server --config-file=$dir/config.xml >$dir/out 2>&1 &
	eval "ch_pid_$1=$!"
	eventually ch_sql $1 "SELECT 1"
}
# ch_start_current NUMBER [ENDS]: a current server; ENDS says how its first inserts end (clickhouse_current.py).
ch_start_current() {
	mkdir -p $tmp/ch$1
	$python "$smoke_dir/rig/clickhouse_current.py" "$ch_engine" $tmp/ch$1 812$1 ${2:+"$2"} >$tmp/ch$1.out 2>&1 &
	eval "ch_pid_$1=$!"
	eventually ch_sql $1 "SELECT 1"
}
ch_pid() { local v=ch_pid_$1; echo ${!v}; }
ch_kill() { kill -9 "$(ch_pid $1)"; wait "$(ch_pid $1)" 2>/dev/null; true; }
# ch_sql NUMBER STATEMENT
ch_sql() { curl -sS --max-time 30 --fail-with-body "http://127.0.0.1:812$1/" --data-binary "$2"; }
# ch_config NUMBER [PORT]: the lab's configuration with that server as a sink, or what is before it on PORT, in force.
ch_config() { ch_config_of "url: 'http://127.0.0.1:${2-812$1}'"; }
# ch_config_urls NUMBER...: the configuration with these servers as a list.
ch_config_urls() { ch_config_of "urls: [$(printf "'http://127.0.0.1:812%s', " "$@")]"; }
ch_config_of() {
	printf '%s\n' "$ch_password" >$tmp/password
	cat >>/run/weir/lab/weir.yaml <<-YAML
		query_log:
		  box: "it's a \\\\ box"
		  clickhouse: {$1, user: weir, password_file: $tmp/password, flush_ms: 200}
	YAML
	check "the configuration is taken" "$WEIR_BUILD/tools/ctl/weirctl" config check /run/weir/lab/weir.yaml
	check "the control plane starts with it" ch_restart
}
# Until the data plane has found it a query is answered without it, and asked again: that is a row more.
ch_restarts=0
ch_restart() {
	ch_restarts=$((ch_restarts + 1))
	"$lab" stop controlplane && "$lab" start controlplane && eventually resolves ok-3000.restart-$ch_restarts.test
}
ch_state() { weirctl --json status | jq -r ".controlplane.clickhouse.$1"; }
ch_is() { [ "$(ch_state "$1")" = "$2" ]; }
# All that the log gave to the sink is in the hands of a server.
ch_all_sent() {
	weirctl --json stats --interval 0 >$tmp/ch.json &&
		jq -e '.controlplane | .clickhouse.rows == (.query_log.sinks[] | select(.name == "clickhouse") | .rows)' \
			<$tmp/ch.json
}
# Each query once, whatever its result: the test counts rows, and a repeated query is one more row.
ch_ask() { for name; do client kdig +short +timeout=30 +retry=0 @$service "$name" A; done >/dev/null; }
ch_ask_tcp() { client kdig +tcp +short +timeout=30 +retry=0 @$service "$1" A >/dev/null; }
# ch_found NUMBER WEIGHT QNAME
ch_found() { [ "$(ch_sql $1 "SELECT sum(weight) FROM weir.queries WHERE qname = '$3'")" = "$2" ]; }
# Rows and their weight that the sink counts as sent since the control plane runs.
ch_sent() { weirctl --json stats --interval 0 | jq -r '.controlplane.clickhouse | "\(.rows)\t\(.weight)"'; }
ch_lost() {
	weirctl --json status |
		jq -r '.controlplane.clickhouse | "\(.dropped_rows) \(.lost_rows) \(.refused_rows) \(.partial_rows)"'
}
# ch_whole NUMBER: all that the sink was given in the life of that server's tables is in each of them, once.
ch_whole() {
	check "all of it was sent" eventually ch_all_sent
	check "each row once, with its weight" eventually ch_each_once $1
	same "the sum by minutes is that of the rows" \
		"$(ch_sql $1 "SELECT sum(weight), sum(reply_len * weight) FROM weir.queries")" \
		"$(ch_sql $1 "SELECT sum(queries), sum(reply_octets) FROM weir.queries_minute")"
	same "and that by latency that of the answered" \
		"$(ch_sql $1 "SELECT sum(weight) FROM weir.queries WHERE answered = 1")" \
		"$(ch_sql $1 "SELECT sum(queries) FROM weir.queries_latency")"
	same "nothing is lost" "0 0 0 0" "$(ch_lost)"
}
ch_each_once() { [ "$(ch_sent)" = "$(ch_sql $1 "SELECT count(), sum(weight) FROM weir.queries")" ]; }
# ch_odd_names NUMBER: asks for five, in evil.test.
ch_odd_names() {
	client $python "$smoke_dir/rig/odd_names.py" $service evil.test
	check "five hostile names arrive" eventually ch_has_odd_names $1
}
ch_has_odd_names() { [ "$(ch_sql $1 "SELECT uniqExact(qname) FROM weir.queries WHERE qname LIKE '%.evil.test'")" = 5 ]; }
# ch_old_gone NUMBER: rows of the box "old" are over their hours.
ch_old_gone() { [ "$(ch_sql $1 "SELECT count() FROM weir.queries WHERE box = 'old'")" = 0 ]; }
