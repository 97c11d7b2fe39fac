#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Metrics of the real binaries: well formed by promtool's word, of what happened, quick and small.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

scrape() { weirctl metrics >$tmp/metrics; }
value() { # SAMPLE, with its labels
	awk -v s="$1" 'substr($0, 1, length(s) + 1) == s " " {print $NF}' $tmp/metrics
}
at_least() { # SAMPLE COUNT
	scrape && awk -v a="$(value "$1")" -v b="$2" 'BEGIN {exit !(a != "" && a + 0 >= b)}'
}

must "up" "$lab" up --offline
for i in $(seq 5); do client kdig +timeout=3 @$service www.lab.example A >/dev/null; done
check "queries by verdict" eventually at_least 'weir_frames_total{verdict="hit"}' 4
if command -v promtool >/dev/null; then
	check "promtool finds nothing" promtool check metrics <$tmp/metrics
else
	echo "no promtool: not linted"
fi
check "types and codes" eventually at_least 'weir_questions_total{type="A"}' 5
check "codes" eventually at_least 'weir_replies_total{rcode="NOERROR"}' 5
check "times in the data plane" eventually at_least 'weir_dataplane_batch_seconds_count{outcome="hit"}' 4
check "times of stages" eventually at_least 'weir_dataplane_stage_seconds_count{stage="lookup"}' 1
check "times of misses" eventually at_least 'weir_resolver_answer_seconds_count{outcome="upstream"}' 1
same "both run" "1 1" "$(value 'weir_up{process="dataplane"}') $(value 'weir_up{process="controlplane"}')"
check "upstreams" grep -q '^weir_upstream_up{upstream=".*",address="127.0.0.1:[0-9]*"} 1$' $tmp/metrics
check "copies of lists" grep -qE '^weir_list_copies_bytes [1-9]' $tmp/metrics
check "lists" grep -q '^weir_list_names{list="' $tmp/metrics
check "what a table turned away" grep -q '^weir_table_refused_total{table="waiters"} 0$' $tmp/metrics
check "tables" grep -q '^weir_table_cap{table="waiters"} [1-9]' $tmp/metrics
check "memory by account" eventually at_least 'weir_memory_account_bytes{account="resolver"}' 1000
same "no series twice" "" "$(grep -v '^#' $tmp/metrics | sed 's/ [^ ]*$//' | sort | uniq -d)"
check "the previous scrape is reported" eventually at_least weir_scrape_samples 300
echo "a scrape: $(value weir_scrape_cpu_seconds) s of the service loop, $(value weir_scrape_bytes) bytes, $(value weir_scrape_samples) samples"
check "the list of metrics has these" $python "$root/tools/docs/metrics_md.py" "$root" $tmp/metrics --check
same "all samples have room" 0 "$(value weir_scrape_left_out_total)"
check "it is ready" eventually weirctl ready
same "no error yet" "" "$(weirctl errors | grep 'E[0-9a-f]\{8\}')"
# Constant queries from here on, so that every figure has something to show.
while sleep 0.1; do
	client kdig +timeout=1 +retry=0 @$service www.lab.example A
	client kdig +timeout=1 +retry=0 @$service other.lab.example A
done >/dev/null 2>&1 &
asking=$!
watchers() { # COUNT
	weirctl --json mem tables | $python -c "
import json, sys
sys.exit([t['used'] for t in json.load(sys.stdin)['tables'] if t['name'] == 'watch'] != [$1])"
}
check "a trace" eval "weirctl trace --name www.lab.example --seconds 20 --limit 3 >$tmp/trace"
check "with the stages of a hit" grep -A1 'www.lab.example.\? A hit NOERROR' $tmp/trace
same "of that name alone" "" "$(grep other.lab $tmp/trace)"
# Of a miss both processes' parts are one, whichever of the tiers answers it.
fresh=0
miss_traced() {
	weirctl --json trace --name misses.lab.example --verdict upstream --seconds 20 --limit 1 >$tmp/miss &
	local watching=$!
	while kill -0 $watching 2>/dev/null; do
		fresh=$((fresh + 1))
		client kdig +timeout=2 +retry=0 @$service m$fresh.misses.lab.example A >/dev/null
		sleep 0.1
	done
	$python - $tmp/miss <<-'END'
		import json, sys
		q = json.loads(open(sys.argv[1]).readline())
		steps = [e["step"] for e in q["events"]]
		order = ["received", "l0_miss", "began", "udp_sent", "reply", "answered", "ended"]
		assert q["verdict"] == "miss" and q["outcome"] == "upstream" and "stage_ns" in q and not q.get("incomplete"), q
		assert [s for s in steps if s in order] == order, steps
		assert [s for s in steps if s.startswith("worker_")] == ["worker_took", "worker_sent"], steps
		assert all(e["server"] for e in q["events"] if e["step"] in ("udp_sent", "reply")), q
		at = [e["at_us"] for e in q["events"]]
		assert at == sorted(at), at
	END
}
check "a miss, step by step through both processes" eventually miss_traced
check "a capture right behind" weirctl capture --verdict hit --client 198.18.0.0/15 --seconds 20 --limit 4 -o $tmp/hits.pcap
same "frames of queries to port 53" 4 "$($python -c "
from scapy.all import rdpcap, DNS
print(sum(p[DNS].qd.qtype == 1 and p.dport == 53 for p in rdpcap('$tmp/hits.pcap')))")"
# A watch that is refused leaves a file as it was, and makes none.
"$WEIR_BUILD/tools/ctl/weirctl" -c /run/weir/lab/weir.yaml trace --name none.example --seconds 60 >$tmp/none &
watching=$!
check "a watch is running" eventually watchers 1
echo kept >$tmp/old.pcap
check "a second watch is refused" eval "! weirctl capture --seconds 1 -o $tmp/old.pcap"
check "also into a new file" eval "! weirctl capture --seconds 1 -o $tmp/new.pcap"
same "the file is as it was" kept "$(cat $tmp/old.pcap)"
check "and none is made" test ! -e $tmp/new.pcap
kill $watching
wait $watching 2>/dev/null || true
check "another watch right behind" eval "weirctl trace --verdict malformed --seconds 1 >$tmp/none"
same "shows nothing, as nothing was malformed" "" "$(cat $tmp/none)"
kill $asking

# Over TCP, only for the clients that the file names. While another program has the address weir serves all else.
$python -c "
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', 9153))
s.listen()
open('$tmp/taken', 'w')
time.sleep(600)" &
taker=$!
check "another program takes the address" eventually test -e $tmp/taken
printf 'metrics: {listen: 127.0.0.1, allow: [127.0.0.1]}\n' >>/run/weir/lab/weir.yaml
check "with an address for metrics" eval '"$lab" stop controlplane && "$lab" start controlplane'
over() { curl -sS --noproxy '*' --max-time 20 -o $tmp/over -w '%{http_code}' "$@"; }
is_over() { [ "$(over http://127.0.0.1:9153/metrics)" = 200 ] && grep -q '^weir_up{process="dataplane"} 1$' $tmp/over; }
check "it starts, and says that it does not listen there" eventually eval 'weirctl status | grep -q "metrics.*NOT LISTENING: Address already in use"'
check "as one of what is degraded" eventually eval 'weirctl ready | grep -q metrics.listen'
check "and an error" eventually eval 'weirctl errors | grep -q "E[0-9a-f]\{8\} .*metrics.listen"'
check "counted" eventually eval 'scrape && [ "$(value weir_metrics_listening)" = 0 ] && [ "$(value weir_metrics_listen_failures_total)" -ge 1 ]'
kill $taker
check "metrics over TCP" eventually is_over
check "nothing is degraded by it any more" eventually eval '! weirctl ready | grep -q metrics.listen'
command -v promtool >/dev/null && check "promtool finds nothing" promtool check metrics <$tmp/over
same "alive, and ready or not" "200 200" "$(over http://127.0.0.1:9153/health) $(over http://127.0.0.1:9153/ready)"
same "nothing else of the control API, and nothing to change" "404 404 404 405" "$(for at in status errors debug/heap; do
	over http://127.0.0.1:9153/$at; echo -n ' '; done; over -X POST http://127.0.0.1:9153/metrics)"
# 000: the kernel drops its connections. 403: this kernel lets weir attach no filter.
other=$(over --max-time 2 --interface 127.0.0.2 http://127.0.0.1:9153/health 2>/dev/null)
check "a client that is not named is refused ($other)" [ "$other" = 000 -o "$other" = 403 ]
if command -v prometheus >/dev/null; then
	printf 'scrape_configs:\n- {job_name: weir, scrape_interval: 1s, static_configs: [{targets: [127.0.0.1:9153]}]}\n' >$tmp/prometheus.yml
	prometheus --config.file=$tmp/prometheus.yml --storage.tsdb.path=$tmp/tsdb --web.listen-address=127.0.0.1:9190 >$tmp/prometheus.log 2>&1 &
	prometheus=$!
	scraped() {
		curl -s --noproxy '*' 'http://127.0.0.1:9190/api/v1/query?query=weir_up%7Bjob="weir",process="dataplane"%7D' |
			grep -q '"value":\[[0-9.]*,"1"\]'
	}
	check "a Prometheus scrapes it" eventually scraped
	kill $prometheus
fi

check "the data plane's memory has slopes too" eventually eval 'weirctl mem slope --seconds 60 | grep -q "dataplane.anonymous"'
check "without a data plane" "$lab" kill dataplane
down() { scrape && [ "$(value 'weir_up{process="dataplane"}')" = 0 ]; }
check "it is reported as down" eventually down
fell() { scrape && [ "$(value 'weir_process_ends{process="dataplane",end="killed or crashed"}')" = 1 ]; }
check "and how it ended" eventually fell
prints() { weirctl "$1" | grep -q "$2"; }
check "that is not ready, or less than it should be" eventually prints ready "no data plane; the control plane answers\|no data plane, and no fallback"
check "and is among the warnings" eventually prints errors "W[0-9a-f]\{8\} *controlplane"
id=$(sed -n 's/^| .\(W[0-9a-f]*\). | controlplane | data plane closed its link |.*/\1/p' "$root/docs/reference/errors.md")
check "by the id that the catalogue has" eventually prints errors "${id:-none} "
finish
