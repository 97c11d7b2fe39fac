#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What an operator has set or has to do is in the status, in the metrics and in ready: pauses, a rollback, reloads, settings that
# wait for a restart, dead upstreams, Redis and ClickHouse that take nothing, a control plane that is down.
. "$(dirname "$0")/_init.sh"
command -v redis-server >/dev/null || { echo "redis-server is missing" && exit 1; }

says() { weirctl status | grep -q "$1"; }
degraded() { weirctl ready | grep -q "but: $1"; }
whole() { weirctl ready --strict; }
metric() { weirctl metrics | awk -v s="$1" 'substr($0, 1, length(s) + 1) == s " " {print $NF}'; }
is() { [ "$(metric "$1")" = "$2" ]; } # METRIC VALUE

lab_up
printf 'groups:\n  - {name: kids, clients: [198.18.77.0/24]}\nmetrics: {listen: 127.0.0.1}\n' >>$config
check "with a group and an address for metrics" eval '"$lab" stop controlplane && "$lab" start controlplane'
check "nothing is degraded" eventually whole
same "ready in one word" ready "$(weirctl ready)"
same "no reload has failed" "1 0" "$(metric weir_config_last_reload_successful) $(metric weir_config_last_reload_timestamp_seconds)"

# As cache stats shows it, which counts units.
l0_mib=$(weirctl cache stats | sed -n '1s/.* of \([0-9.]*\) MiB (.*/\1/p')
check "L0 is no larger than its region ($l0_mib MiB)" awk -v shown="$l0_mib" -v region="$(weirctl --json cache stats | jq .l0.bytes)" \
	'BEGIN {exit !(shown > 0 && shown * 1048576 <= region)}'

check "a pause for everyone" weirctl blocklist pause 5
check "a pause of a group" weirctl blocklist pause 5 --group kids
check "status says both" eval 'says "PAUSED for everyone" && says "PAUSED for group kids"'
check "and the metrics" eval 'is weir_blocking_groups_paused 1 && [ "$(metric weir_blocking_pause_seconds)" -gt 200 ]'
check "they end" eval 'weirctl blocklist resume && weirctl blocklist resume --group kids'
check "in the status, too" eval '! says PAUSED && is weir_blocking_groups_paused 0 && is weir_blocking_pause_seconds 0'

echo other.test >>$list
check "another image" taken_over weirctl blocklist reload
check "back to the one before" taken_over weirctl blocklist rollback
check "status says that it is held" eval 'says "HELD: the rules of a rollback" && is weir_rules_held 1'
check "a reload of the configuration says so, too" eval '! weirctl config reload'
check "which is no failed one" eval '! says "THE LAST RELOAD FAILED" && is weir_config_last_reload_successful 1'
check "until a reload" eval 'weirctl blocklist reload && ! says HELD'

mv $list $tmp/away
check "a reload reports a missing list" eval '! weirctl config reload'
check "it has a row of its own" says "NOT updated: list .*No such file"
check "the last reload is none that failed" eval '! says "THE LAST RELOAD FAILED" && is weir_config_last_reload_successful 1'
mv $tmp/away $list
check "until it is back" eval 'weirctl blocklist reload && ! says "NOT updated"'

cp $config $tmp/good.yaml
echo 'nonsense: 1' >>$config
check "a file that is refused" eval '! weirctl config reload'
check "is in the status" says "THE LAST RELOAD FAILED.*nonsense"
check "in the metrics" is weir_config_last_reload_successful 0
check "and in ready" degraded "the last reload of the configuration failed"
check "which is ready, but not strictly" eval 'weirctl ready && ! weirctl ready --strict'
over() { curl -sS --noproxy '*' --max-time 20 -o /dev/null -w '%{http_code}' "http://127.0.0.1:9153/ready$1"; }
same "the same over TCP" "200 503 400" "$(over '') $(over '?strict=1') $(over '?strict=x')"
sed 's/^  main_lcore: .*//; s/^dataplane:/dataplane:\n  mbufs: 16383\n  rx_descriptors: 512/' $tmp/good.yaml >$config
check "one that needs a restart" weirctl config reload
check "is in the status" says "needs a restart: .*dataplane.mbufs"
check "as are its settings in the metrics" eval '[ "$(metric weir_config_restart_pending)" -ge 2 ] && is weir_config_last_reload_successful 1'
cp $tmp/good.yaml $config
check "back to what runs" weirctl config reload
check "nothing waits any more" eval '! says "needs a restart" && is weir_config_restart_pending 0 && whole'

redis-server --port 6390 --bind 127.0.0.1 --save '' --appendonly no --dir $tmp >$tmp/redis.log &
redis=$!
printf 'redis: {mode: standalone, addresses: [127.0.0.1:6390], timeout_ms: 1000, lookup_timeout_ms: 200}\n' >>$config
check "with Redis" weirctl config reload
check "which is up" eventually eval 'says "Redis 127.0.0.1:6390: up" && whole'
redis-cli -p 6390 CONFIG SET maxmemory 1 >/dev/null
asks() { for i in $(seq 12); do short ok-$RANDOM$i.full.test A >/dev/null; done; }
check "a full Redis is not up" eventually eval 'asks; says "Redis 127.0.0.1:6390: refusing" && degraded "Redis refuses every write: .*OOM"'
check "in the metrics" eval 'is "weir_redis_state{state=\"refusing\"}" 1 && [ "$(metric weir_redis_oom_total)" -ge 8 ]'
check "and among the warnings" eval 'weirctl errors | grep -q "every write is refused"'
redis-cli -p 6390 CONFIG SET maxmemory 0 >/dev/null
check "and is again" eventually eval 'asks; whole'
kill $redis
check "Redis away is degraded" eventually eval 'asks; degraded "Redis is away"'
cp $tmp/good.yaml $config
check "without Redis" weirctl config reload
check "nothing is" eventually whole

kill $upstream
dead() { short ok-$RANDOM.dead.test A >/dev/null; says "NO UPSTREAM ANSWERS"; }
check "a dead upstream is in the status" eventually dead
check "in the metrics" eval 'is weir_upstream_sets_down 1 && is weir_upstream_sets 1'
check "and in ready" degraded "no upstream answers"
same "a load balancer sees it as ready" 200 "$(over '')"
sed -i 's/^metrics: .*/metrics: {listen: 127.0.0.1, ready_needs_upstream: true}/' $config
check "unless it shall not" weirctl config reload
unready() { short ok-$RANDOM.dead.test A >/dev/null; [ "$(over '')" = 503 ]; }
check "then it does not" eventually unready

check "without a control plane" "$lab" stop controlplane
check "status says so" says "control plane is down; the data plane is up: it answers cache hits and blocked names"
same "which they are" 198.18.200.1 "$(short ok-3000.cached.test A)"
check "as do other commands" eval 'weirctl ready 2>&1 | grep -q "control plane is down .*it answers cache hits and blocked names"'
check "without a data plane" "$lab" stop dataplane
check "nobody is answered" eval 'says "control plane is down; no client is answered"'
finish
