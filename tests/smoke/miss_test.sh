#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The miss path against a scripted upstream: one packet however many ask, expired names under load, liars, dead servers.
. "$(dirname "$0")/_init.sh"

upstream 5301 $tmp/up.log
upstream 5302 $tmp/up2.log
must "up" "$lab" up --upstream 127.0.0.1:5301 --upstream 127.0.0.1:5302
check "10,000 clients ask one cold name: one upstream packet" \
	client $python "$smoke_dir/rig/miss_load.py" cold $tmp/up.log
check "20,000 q/s on one expired name: no ring fills, no other name is delayed, no SERVFAIL" \
	client $python "$smoke_dir/rig/miss_load.py" expired $tmp/up.log
same "no miss ring was ever full" 0 "$(($(dp verdict servfail_ring_full) + $(dp verdict drop_ring_full)))"

state() { client kdig +timeout=5 +retry=0 @$service "$@" | rcode_of; }
# With other names again: what a machine holds up for half a second is late for its client, and not sent.
all_dead() { [ "$(state nobody-$RANDOM.test A)" = SERVFAIL ]; }
same "the answer of a server that takes 1 s is accepted" 198.18.200.1 "$(short slow.test A)"
same "wrong id and wrong question are ignored" 198.18.200.1 "$(short lie.test A)"
same "TC leads to a query over TCP" 198.18.200.1 "$(short tc.test A)"
check "over TCP indeed" grep -q 'tcp .* tc.test 1$' <(tr 'A-Z' 'a-z' <$tmp/up.log)
same "a big answer is cut with TC over UDP" 1 "$(client kdig +ignore @$service big.test TXT | grep -c ' tc[; ]')"
touch $tmp/up.log.down
same "failover: the second upstream answers" 198.18.200.1 "$(short ok-5.fail-over.test A)"
touch $tmp/up2.log.down
check "all dead: SERVFAIL, before the client gives up" eventually all_dead
rm -f $tmp/up.log.down $tmp/up2.log.down
same "SERVFAIL everywhere is SERVFAIL" SERVFAIL "$(state fail.test A)"

same "short TTL" 198.18.200.1 "$(short ok-1.stale.test A)"
touch $tmp/up.log.down $tmp/up2.log.down
ahead 2
stale=$(client kdig +edns +timeout=20 +retry=0 @$service ok-1.stale.test A)
check "upstreams dead: the stale answer comes" grep -q 198.18.200.1 <<<"$stale"
check "with EDE 3" grep -qi 'stale' <<<"$stale"
rm -f $tmp/up.log.down $tmp/up2.log.down
check "every frame has one verdict" verdicts_add_up
finish
