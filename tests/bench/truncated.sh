#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Connections to an upstream for 10,000 answers that it truncates over UDP, which it gives over TCP: kept and shared, one for each
# query (as weir did before, and does by `upstream.keepalive off`), and with a server that ends each after a query. No test: it
# prints what docs/reference/upstreams.md says. usage: truncated.sh [NUMBER]
. "$(dirname "${BASH_SOURCE[0]}")/../smoke/_init.sh"

number=${1:-10000}
$python "$root/tests/conformance/upstream_zoo.py" 5302 $tmp/zoo.log &
eventually upstream_listens 5302
check "up" "$lab" up --upstream 127.0.0.1:5302
stat_of() { weirctl --json stats --interval 0 | jq ".controlplane.resolver.upstream_tcp_$1"; }
# round TITLE WORD: asks for names that were never asked before
round() {
	local before most=0 open
	seq "$number" | sed "s/.*/$2.n&-$2-$RANDOM.zoo.example A/" >$tmp/names
	before=$(stat_of opened)
	client dnsperf -s $service -d $tmp/names -q 50 -t 10 >$tmp/dnsperf.out 2>&1 &
	local dnsperf=$!
	while kill -0 $dnsperf 2>/dev/null; do
		open=$(stat_of open)
		[ "$open" -le "$most" ] || most=$open
		sleep 0.2
	done
	echo "$1: $(($(stat_of opened) - before)) connections, at most $most at one time seen, $(stat_of waited) queries had to wait so far"
	grep -E 'Queries (completed|lost)|Response codes|Queries per second|Run time' $tmp/dnsperf.out
}
round "kept" tc
check "keepalive off" weirctl set upstream.keepalive off
round "one for each query" tc
check "keepalive on" weirctl set upstream.keepalive on
round "a server that ends each" tconce
"$lab" down >/dev/null
finish
