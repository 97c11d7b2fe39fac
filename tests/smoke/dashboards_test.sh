#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every query of the dashboards, asked of the engine that it is for: Prometheus, with a scrape of the real binaries, and
# ClickHouse, with the tables that the control plane makes.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

check "the dashboards are what their generator writes" $python "$root/tools/grafana/make.py" --check
must "up" "$lab" up --offline
# A ClickHouse that is not there has metrics all the same, and so have a syslog server and updates.
printf 'query_log:\n  clickhouse: {url: "http://127.0.0.1:8129"}\nevents: {syslog: 127.0.0.1}\nupdates: {check: true, url: "http://127.0.0.1:8129/", key: %s}\n' MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE= >>/run/weir/lab/weir.yaml
check "the control plane starts with a sink" eval '"$lab" stop controlplane && "$lab" start controlplane'
# A box that polls makes this one a primary, with metrics of each box that has polled for 5 minutes. The reply stays open until
# the box hangs up.
poll=$(printf '&%s' box=box2 epoch=1 primary= digest= version=0 result=none reason= ready=1 unix_ms=1 software=0)
polled() {
	curl -s -m 1 --unix-socket /run/weir/control/control.sock -d "protocol=2$poll" http://weir/v1/sync >$tmp/poll
	weirctl metrics >$tmp/metrics && grep -q "^$1" $tmp/metrics
}
check "a box of a fleet" eventually polled 'weir_sync_boxes 1'
check "is no series at once" eval '! grep -q ^weir_sync_box_current{ $tmp/metrics'
ahead 301
check "but is one after 5 minutes" eventually polled weir_sync_box_current{
check "a scrape" eventually eval "weirctl metrics >$tmp/metrics && grep -q ^weir_worker $tmp/metrics"
if command -v prometheus >/dev/null; then
	mkdir $tmp/prometheus
	echo 'global: {scrape_interval: 1m}' >$tmp/prometheus/prometheus.yml
	prometheus --config.file=$tmp/prometheus/prometheus.yml --storage.tsdb.path=$tmp/prometheus/data \
		--web.listen-address=127.0.0.1:9090 >$tmp/prometheus/log 2>&1 &
	check "the alert rules" promtool check rules "$root/tools/grafana/alerts.yml"
	for metric in $(grep -oE '\bweir_[a-z_]+' "$root/tools/grafana/alerts.yml" | sort -u); do
		check "they know $metric" grep -q "^$metric[ {]" $tmp/metrics
	done
	check "prometheus" eventually curl -sf http://127.0.0.1:9090/-/ready
	check "its panels" $python "$smoke_dir/rig/dashboards.py" prometheus http://127.0.0.1:9090 $tmp/metrics
	kill $!
else
	echo "no prometheus: its panels are not tried"
fi
if command -v clickhouse-server >/dev/null; then
	mkdir $tmp/clickhouse
	cat >$tmp/clickhouse/config.xml <<-XML
		<yandex><logger><level>warning</level><log>$tmp/clickhouse/log</log><errorlog>$tmp/clickhouse/err</errorlog></logger>
		<http_port>8123</http_port><tcp_port>9000</tcp_port><listen_host>127.0.0.1</listen_host>
		<path>$tmp/clickhouse/</path><tmp_path>$tmp/clickhouse/tmp/</tmp_path><mark_cache_size>1048576</mark_cache_size>
		<users_config>users.xml</users_config><default_profile>default</default_profile>
		<default_database>default</default_database></yandex>
	XML
	cat >$tmp/clickhouse/users.xml <<-XML
		<yandex><profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles>
		<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile>
		<quota>default</quota></default></users><quotas><default></default></quotas></yandex>
	XML
	clickhouse-server --config-file=$tmp/clickhouse/config.xml >$tmp/clickhouse/out 2>&1 &
	check "clickhouse" eventually curl -sf http://127.0.0.1:8123/ping
	check "its panels" $python "$smoke_dir/rig/dashboards.py" clickhouse http://127.0.0.1:8123/
	kill -9 $!
else
	echo "no clickhouse-server: its panels are not tried"
fi
finish
