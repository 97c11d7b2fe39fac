#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Where the memory of the real binaries is: every byte in an account, tables and regions by name, what grew.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
mem() { weirctl --json mem accounts >$tmp/mem.json; }
says() { mem && jq -e "$1" $tmp/mem.json; }
grew() { weirctl --json mem diff before after | jq -e "$1"; }

lab_up
for i in $(seq 20); do client kdig +timeout=3 @$service ok-300.n$i.test A >/dev/null; done
check "no file without an account" says '[.accounts[] | select(.name == "other")][0].made == 0'
check "accounts and files add up to the same" says '(([.accounts[].bytes] | add) - ([.files[].bytes] | add)) | fabs < 1e6'
check "and sites to what files have" says '(([.sites[].bytes] | add) - ([.files[].bytes] | add)) | fabs < 1e6'
check "a site is a function, a file and a line" says '(.sites | length) > (.files | length) and
	([.sites[] | select(.name | test("^[a-z0-9_]+ \\([a-z0-9_]+[.]c:[0-9]+\\)$"))] | length) > 100'
check "sites for people" eval "weirctl mem sites >$tmp/sites && grep -q '^ *site  *account  *bytes ' $tmp/sites"
check "what nobody explains is little" says '.alarm == false and .unexplained < 8388608 and .accounted > 1e6'
check "the resident set by kind is the resident set" says \
	'.process | .rss == .rss_heap + .rss_code + .rss_regions + .rss_stacks + .rss_other and .rss > 1e6'
explained() { says "$1 | .explained > .95 * .rss and .explained < 1.05 * .rss"; } # 95 % of it, and no more than there is
check "the resident set is explained" eventually explained '{explained: .resident.explained, rss: .process.rss}'
check "and the data plane's" eventually explained .dataplane
check "an account's resident bytes are of its bytes" says '[.accounts[] | .resident <= .bytes] | all'
check "a table of full size is mostly address space" says '.accounts[] | select(.name == "resolver") | .bytes > 5e7 and .resident < .bytes / 4'
check "mappings and descriptors of both processes have kinds" eventually says '[., .dataplane] | all((.mappings | length) >= 4 and (.descriptors | length) >= 3)'
check "no image stays mapped" says '[., .dataplane] | all([.deleted_mappings[].stale] | add // 0 == 0)'
check "kinds for people" eval "weirctl mem kinds >$tmp/kinds && grep -q '^ *data plane  *code  ' $tmp/kinds"
check "every table has an account, a cap and an end" says \
	'.tables | length > 30 and all(.cap > 0 and (.eviction | length) > 0 and (.lifetime | length) > 0 and .high >= .used)'
check "what can be old has an age while it is there" eventually says '[.tables[] | select(.name == "upstream_sockets" or .name == "top_sketches") | select(.used > 0) | .oldest_ms > 0] | length > 0 and all'
check "a table says of each notion that it has a number, or nothing" says '.tables_dropped == 0 and
	([.tables[] | select(has("refused"))] | length) > 20 and ([.tables[] | select(has("grown"))] | length) >= 3 and
	([.tables[] | select(has("oldest_ms"))] | length) > 20'
check "the data plane's tables are there as well" says \
	'[.tables[] | select(.owner == "dataplane")] | length == 22 and all(.name | startswith("dp_")) and all(.process == "dataplane")'
check "its rings, pools and images are in use" eventually says '[.tables[] | select(.name == "dp_buffers" or .name == "dp_images" or
	.name == "dp_marks" or .name == "dp_workers" or .name == "dp_eal_heap" or .name == "dp_stats") | .used > 0 and .bytes > 0] == [true, true, true, true, true, true]'
check "every miss was on the ring once" says '.tables[] | select(.name == "dp_miss_ring") | .workers >= 1 and .refused == 0'
check "nobody has taken memory of the data plane unseen" says '.dataplane | .alarm == false and .unexplained < 1048576 and .mapped_alarm == false'
check "its sites name their calls, in DPDK's memory too" says '.dataplane.sites |
	([.[] | select(.account == "heap")] | length) > 3 and any(.account == "DPDK" and (.name | startswith("create_worker (dataplane.c:")))'
check "its resident set by kind is the resident set" eventually says \
	'.dataplane | .rss == .rss_heap + .rss_code + .rss_regions + .rss_stacks + .rss_other and .rss > 1e6'
slopes() { # each of the data plane's accounts has one, and there is room for all
	mem && weirctl --json mem slope --seconds 60 | jq -e --slurpfile mem $tmp/mem.json '[.bytes[].name] as $there |
		[$mem[0].dataplane | .accounts[], .eal[] | select(.bytes > 0 and .name != "free") | "dataplane." + .name] as $accounts |
		($accounts | length) > 4 and $accounts + ["dataplane.unexplained"] - $there == [] and .refused_series == 0'
}
check "each of its accounts has a slope" eventually slopes
check "L0 is a region of both processes" says \
	'([.regions[], .dataplane_regions[]] | map(select(.name | endswith("/l0.1"))) | length) == 2'
check "each thread that stays has a name of its own" sh -c '"$0" -c /run/weir/lab/weir.yaml --json threads |
	jq -e "[.threads[].name] | contains([\"weir-resolver\", \"weir-frontend-0\", \"weir-log\", \"weir-store\"])"' "$WEIR_BUILD/tools/ctl/weirctl"
check "tables for people" eval "weirctl mem tables >$tmp/tables"
check "with how long an entry stays and what a full one does" \
	eval "head -n 1 $tmp/tables | grep -q 'TTL  *when full$' && grep -q '^ *refresh_requests .* 5 s  *refuse: stays planned$' $tmp/tables"
check "helpers' tables say what they take" sh -c '"$0" -c /run/weir/lab/weir.yaml --json mem tables |
	jq -e "[.tables[] | select(.name | startswith(\"why_\")) | .bytes > 200] == [true, true]"' "$WEIR_BUILD/tools/ctl/weirctl"
sums() { weirctl --json connections | jq -e '([.peers[].sockets] | add) + .other_peers.sockets == .open_sockets'; }
check "sockets by peer are all sockets" eventually sums
check "also for people" eval "weirctl connections >$tmp/sockets && grep -q '^ *sockets  *kind  *peer  *unread  *unsent$' $tmp/sockets"
check "accounts for people" weirctl mem accounts
counted() { weirctl --json mem tables | $python "$smoke_dir/rig/soak_tables.py"; }
check "with a pattern, too" weirctl deny '/^ads[0-9]+[.]/'
check "each table counts what its sites hold" eventually counted
check "arenas hold what the allocator handed out" says '.arenas | length >= 1 and all(.[]; .resident >= .active and .active >= .allocated and .allocated > 0)'

check "every packet buffer's way adds up" holds '([.verdicts | to_entries[] | select(.key | test("^(drop_|miss|to_kernel)") | not) | .value] | add)
	+ .counters.answers + .counters.kernel_rx == .counters.tx_frames + .counters.tx_full and .verdicts.to_kernel == .counters.kernel_tx'
check "what allocated since the start" eval "weirctl --json profile alloc | jq -e '[.functions[].function] | index(\"app_open\")'"
check "threads say where they wait" eventually eval "weirctl --json profile threads | jq -e '.threads | any(.thread | startswith(\"weir-resolver\")) and all(.stack != \"\")'"
check "CPU time of a second" eval "weirctl --json profile cpu --seconds 1 | jq -e '.unit == \"us\"'"
check "as a file" weirctl profile cpu --seconds 1 -o $tmp/cpu
pprof() { # PROFILE TYPE [FUNCTION]: a file in pprof's own format has this
	rm -f $tmp/p.pb && weirctl profile "$1" --seconds 1 -o $tmp/p.pb && $python "$smoke_dir/rig/pprof_read.py" $tmp/p.pb "${@:2}"
}
check "allocations in pprof's format" pprof alloc alloc_space app_open
check "threads in pprof's format" pprof threads threads main
check "CPU time in pprof's format" pprof cpu cpu
check "that is not written over" sh -c '! "$0" -c /run/weir/lab/weir.yaml profile cpu --seconds 1 -o "$1" 2>&1' "$WEIR_BUILD/tools/ctl/weirctl" $tmp/cpu
made() { # bytes that ever were allocated for what a configuration becomes
	mem && jq '[.files[] | select(.name | test("^(config|policy|querylog|toggles|upstream|rules|list|local)")) | .made_bytes] | add' $tmp/mem.json
}
reloads_make() { # FILES OPERATOR BYTES: by the control plane's count, when it reads the same file again, which touches FILES first
	local before
	weirctl config reload && before=$(made) && touch -c $1 && weirctl config reload && touch -c $1 && weirctl config reload &&
		[ $(($(made) - before)) "${@:2}" ]
}
check "a reload of the same configuration allocates nothing for it" eventually reloads_make $tmp/none -eq 0
check "of one that was written again it does" reloads_make $config -gt 100000
check "snapshot" weirctl mem snapshot before
for i in $(seq 20); do client kdig +timeout=3 @$service ok-300.m$i.test A >/dev/null; done
seq 1 200000 | sed 's/$/.blocked.test/' >>$list
check "reload" weirctl blocklist reload
check "another" weirctl mem snapshot after
check "the longer list is what grew" grew \
	'[.changes[] | select(.what == "table" and .name == "rule_image" and .change > 500000)] | length == 1'
grew_there() { # once the data plane has taken the longer list
	weirctl mem snapshot after && grew '.has_dataplane and (.dataplane_restarted | not) and
		([.changes[] | select(.what == "dataplane region" and (.name | contains("/rule_image.")))] | length) >= 1'
}
check "the data plane's parts are compared as well" eventually grew_there
diff_as() { # JQ_OF_A_SNAPSHOT JQ_OF_THE_DIFF: before as another version wrote it
	jq "$1" /run/weir/mem-before.json >/run/weir/mem-other.json &&
		weirctl --json mem diff other after | jq -e "$2"
}
check "a snapshot that knows nothing of the data plane is no growth of it" diff_as 'del(.format, .dataplane, .dataplane_regions)' \
	'(.has_dataplane | not) and (.changes | length) > 0 and all(.changes[]; (.what | startswith("dataplane") | not) and (.name | startswith("dp_") | not))'
check "a number that a snapshot lacks is none" diff_as 'del(.dataplane.rss, .process.rss)' \
	'.has_dataplane and all(.changes[]; .name != "rss")'
check "one of a later version is refused" sh -c \
	'jq ".format = 999" /run/weir/mem-before.json >/run/weir/mem-later.json && ! "$0" -c /run/weir/lab/weir.yaml mem diff later 2>&1' "$WEIR_BUILD/tools/ctl/weirctl"
check "a name that is no name" sh -c '! "$0" -c /run/weir/lab/weir.yaml mem snapshot ../x' "$WEIR_BUILD/tools/ctl/weirctl"
check "one that is not there" sh -c '! "$0" -c /run/weir/lab/weir.yaml mem diff never' "$WEIR_BUILD/tools/ctl/weirctl"
# Every cap that this load can fill: names that nobody answers, more than limits.inflight of them, then more than L0 holds.
seq -f 'dead.f%.0f.test A' 6000 >$tmp/silent && client dnsperf -s $service -d $tmp/silent -l 3 -Q 4000 -q 6000 -t 1 >/dev/null 2>&1
seq -f 'ok-300.g%.0f.test A' 6000 >$tmp/names && client dnsperf -s $service -d $tmp/names -l 3 -q 500 -t 1 >/dev/null 2>&1
anon() { awk '/^(RssAnon|HugetlbPages)/ { kib += $2 } END { print kib * 1024 }' /proc/$(pid $1)/status; }
within() { # PROCESS: its own memory is within its part of the bill
	weirctl --json mem plan | jq -e --argjson is "$(anon $1)" ".$1 > \$is"
}
check "the bill holds what the control plane took" within controlplane
check "the bill holds what the data plane took" within dataplane
regions=$(du -sb --apparent-size /run/weir/lab /dev/shm 2>/dev/null | awk '{ sum += $1 } END { print sum }')
check "and both with all regions" sh -c '"$0" -c /run/weir/lab/weir.yaml --json mem plan | jq -e ".total > $1"' \
	"$WEIR_BUILD/tools/ctl/weirctl" $(($(anon controlplane) + $(anon dataplane) + regions))
check "the plan holds what both processes have" sh -c \
	'"$0" -c /run/weir/lab/weir.yaml --json mem plan | jq -e --argjson rss "$(jq .process.rss '$tmp/mem.json')" ".fits and .total > \$rss"' \
	"$WEIR_BUILD/tools/ctl/weirctl"
sed 's/l0_mb: *[0-9]*/l0_mb: 1048576/' /run/weir/lab/weir.yaml >$tmp/huge.yaml
grep -q 1048576 $tmp/huge.yaml || sed 's/^cache: *{/cache: {l0_mb: 1048576, /; t; s/^cache:$/cache:\n  l0_mb: 1048576/' /run/weir/lab/weir.yaml >$tmp/huge.yaml
check "what has no room is refused" sh -c '! "$0" mem plan "$1"' "$WEIR_BUILD/tools/ctl/weirctl" $tmp/huge.yaml
printf '%s\n' "runtime: {directory: $tmp/huge, hugepages: \"off\"}" 'cache: {l0_mb: 1048576}' 'upstreams: {servers: [{address: 198.18.0.1}]}' dataplane: \
	'  ports: [{device: net_null0}]' '  service_addresses: [198.18.0.53]' '  worker_lcores: [1]' '  memory_mb: 1048576' >$tmp/other.yaml
refuses() { ! "$WEIR_BUILD/$1" -c $tmp/other.yaml >$tmp/refused 2>&1 && grep -q 'weirctl mem plan' $tmp/refused; }
check "a control plane that has no room does not start" refuses controlplane/weir-controlplane
check "nor does a data plane" refuses dataplane/weir-dataplane
seq -f 'ok-300.k%.0f.test A' 100000 >$tmp/asks
lives() { weirctl --json mem history | jq -e "[.dataplane_lives[].end] == $1"; }
"$lab" stop dataplane
rm -f /run/weir/rings.0 && mkdir /run/weir/rings.0 # in the way of what it makes after its statistics
check "a data plane that cannot start" sh -c '"$0" -c /run/weir/lab/weir.yaml >/run/smoke/start.log 2>&1; [ $? = 1 ] && grep "rings\.0" /run/smoke/start.log' "$WEIR_BUILD/dataplane/weir-dataplane"
rmdir /run/weir/rings.0
check "is reported as such" eventually lives '["could not start", "stopped"]'
check "the data plane starts" "$lab" start dataplane
check "each run is reported once" eventually lives '["runs", "could not start", "stopped"]'
asked=$(verdict_sum)
check "three points: no leak" "$root/tools/memtest" --seconds 2 --idle 2 --limit 4096 -- \
	"$lab" exec dnsperf -s $service -d $tmp/asks -l 60 -Q 100
check "under queries" test $(($(verdict_sum) - asked)) -ge 20
check "a load that does not run is no verdict" sh -c '"$0" --seconds 1 --idle 0 -- /nonexistent/load; [ $? = 2 ]' "$root/tools/memtest"
finish
