#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The control plane answers UDP while no data plane does: on an interface shared by AF_XDP the client notices a kill -9 by
# nothing, and the data plane has its queries back when it returns.
. "$(dirname "$0")/_init.sh"

list=$tmp/blocked.list
echo blocked.test >$list
upstream 5301 $tmp/up.log
must "up" "$lab" up --xdp --upstream 127.0.0.1:5301 --list $list
check "a first answer" eventually resolves ok-3000.cached.test

fallback() { weirctl --json status | jq ".controlplane.fallback.$1"; }
stats() { weirctl --json stats --interval 0; }
is_rcode() { [ "$(rcode @"$1" "$2" A)" = "$3" ]; }
# The first query has the answer: it is not asked again. How long a busy machine takes does not matter.
resolves_first() { [ "$(client kdig +short +timeout=30 +retry=0 @$service "$1" A)" = 198.18.200.1 ]; }
resolves6() { [ "$(client kdig +short +timeout=2 +retry=1 @$service6 "$1" A)" = 198.18.200.1 ]; }
truncated() { client kdig +noedns +ignore +timeout=2 @$service big.large.test TXT | grep -q 'Flags:.* tc'; }
attached() { [ "$(weirctl --json status | jq .controlplane.link_up)" = true ]; }
detached() { [ "$(weirctl --json status | jq .controlplane.worker_rings)" = 0 ]; }

same "sockets of both addresses" "2 2" "$(fallback addresses) $(fallback bound)"
same "which have had nothing to do" 0 "$(fallback alone)"
check "and say that they are ready" grep -q "^UDP fallback    ready" <(weirctl status)

check "kill -9 of the data plane" "$lab" kill dataplane
check "the next query is answered, from the cache" resolves_first ok-3000.cached.test
check "what is not in it too" eventually resolves ok-3000.new.test
check "over IPv6" eventually resolves6 ok-3000.cached.test
check "a blocked name is blocked" is_rcode $service blocked.test NXDOMAIN
check "a name below it too, over IPv6" is_rcode $service6 x.blocked.test NXDOMAIN
check "a failing one fails" is_rcode $service fail.broken.test SERVFAIL
check "what is too long is truncated" eventually truncated
check "the link knows" eventually detached
check "another query" resolves_first ok-3000.new.test
check "counted as answered without a data plane" test "$(fallback alone)" -ge 1
same "none was sent in vain" 0 "$(fallback send_errors)"
check "status says who answers" grep -q "^UDP fallback    answers now" <(weirctl status)
settled() { # a repeated query may still be in flight
	stats | jq -e '.controlplane
		| ([.frontend.udp.verdicts[]] | add) == .fallback.received - .fallback.too_long - .fallback.bad_source'
}
check "each query has one verdict" eventually settled

check "the data plane comes back" "$lab" start dataplane
check "and is attached" eventually attached
taken_back() { # the data plane answers, and the sockets hear nothing of it
	local before
	before=$(fallback received)
	resolves ok-3000.cached.test && resolves6 ok-3000.cached.test && [ "$(fallback received)" = "$before" ]
}
check "it has its queries back" eventually taken_back
check "answered from the cache" test "$(dp verdict hit)" -ge 1
finish
