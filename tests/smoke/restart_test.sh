#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each process without the other: what is cached goes on, weirctl says plainly who is down, a restart goes on warm.
. "$(dirname "$0")/_init.sh"

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
same "a first answer" 198.18.200.1 "$(short ok-3000.cached.test A)"

check "control plane killed" "$lab" kill controlplane
same "a cached name is answered" 198.18.200.1 "$(short ok-3000.cached.test A)"
not_ready() { client kdig +edns +timeout=2 +retry=0 @$service ok.not-cached.test A | tee $tmp/miss | grep -q 'status: SERVFAIL'; }
check "a miss gets SERVFAIL at once, when the data plane has seen it" eventually not_ready
check "with EDE 14" grep -qiE 'not ready|EDE: 14' $tmp/miss
check "weirctl says so" grep -qi 'control plane.*down' <<<"$(weirctl status 2>&1)"
check "and still shows the data plane" grep -q '"hit"' <<<"$(weirctl --json stats --interval 0)"
queries=$(up_log | wc -l)
check "started again" "$lab" start controlplane
eventually resolves ok.after.test
same "misses are served again" 198.18.200.1 "$(short ok.after-2.test A)"
same "the cache is warm" 198.18.200.1 "$(short ok-3000.cached.test A)"
same "nothing cached was asked again" 0 "$(up_log | tail -n +$((queries + 1)) | grep -c cached.test)"

# "tentative": the kernel still looks for a duplicate of its own link-local address.
addresses() { ip -o addr show dev weir0 | sed 's/ tentative//'; }
address=$(addresses)
check "data plane killed" "$lab" kill dataplane
same "weir0 and its addresses stay" "$address" "$(addresses)"
check "weirctl says so" grep -qi 'data plane.*down' <<<"$(weirctl status 2>&1)"
check "started again" "$lab" start dataplane
check "and is linked" activated
same "it serves warm" 198.18.200.1 "$(short ok-3000.cached.test A)"
same "from L0" 0 "$(up_log | tail -n +$((queries + 1)) | grep -c cached.test)"
same "and misses" 198.18.200.1 "$(short ok.new.test A)"
check "ping reaches the kernel again" client ping -c 2 -W 2 $service

check "both stopped" bash -c "'$lab' stop dataplane && '$lab' stop controlplane"
same "weirctl fails when both are down" 1 "$(weirctl status >/dev/null 2>&1; echo $?)"
check "data plane first" "$lab" start dataplane
check "SERVFAIL with EDE 14 or a cached answer, never silence" grep -qE 'SERVFAIL|NOERROR' \
	<<<"$(rcode @$service ok-3000.cached.test A)"
check "then the control plane" "$lab" start controlplane
eventually resolves ok.both.test
same "either process may start first" 198.18.200.1 "$(short ok.both-2.test A)"
finish
