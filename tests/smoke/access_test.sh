#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Who may ask, and how often, with the real binaries: silence, REFUSED, a rate, and who has none.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

verdict() { weirctl --json stats --interval 0 | jq "[.dataplane.workers[].verdicts.$1] | add"; }
# access YAML: in place of the section that is there, loaded, and activated by the workers
access() {
	local before
	before=$(weirctl --json stats --interval 0 | jq .dataplane.policy_generation)
	sed -i '/^access:/,/^[a-z]/{/^access:/d;/^ /d}' $config
	printf 'access: %s\n' "$1" >>$config
	weirctl config reload || return
	for _ in $(seq 600); do
		[ "$(weirctl --json stats --interval 0 | jq .dataplane.policy_generation)" != "$before" ] && return
		sleep 0.1
	done
	return 1
}
ask() { client kdig +timeout=5 +retry=2 @$service "$@" www.lab.example; }
silence() { ! client kdig +timeout=1 +retry=0 @$service "$@" www.lab.example | grep -q 'status:'; }

must "up" "$lab" up --offline
client ip addr add 198.18.0.66/24 dev wt0
check "the lab's clients may ask" grep -q 'status: NOERROR' <(ask)

check "reload: one address may not" access '{allow: [private, 198.18.0.0/15], deny: [198.18.0.66], unlimited: [any]}'
check "it gets nothing" silence -b 198.18.0.66
denied() { [ "$(verdict drop_denied)" = 1 ]; }
check "and that is counted" eventually denied
check "nor has it a connection" silence +tcp -b 198.18.0.66
check "and that is counted too" eventually eval '[ "$(weirctl --json tcp | jq .refused_denied)" -ge 1 ]'
check "others are answered" grep -q 'status: NOERROR' <(ask)
check "reload: it gets REFUSED" access '{allow: [private, 198.18.0.0/15], deny: [198.18.0.66], unlimited: [any], denied: refuse}'
check "REFUSED" grep -q 'status: REFUSED' <(ask -b 198.18.0.66)
check "REFUSED, over TCP" grep -q 'status: REFUSED' <(ask -b 198.18.0.66 +tcp)
check "with EDE 18" grep -qi 'EDE: 18\|Prohibited' <(ask -b 198.18.0.66 +edns)
check "reload: by default the service's own network may ask" access '{}'
check "from within it" grep -q 'status: NOERROR' <(ask)
client ip addr add 198.19.7.7/32 dev wt0
check "from outside nobody gets anything" silence -b 198.19.7.7

check "reload: 20 a second, without slip replies" \
	access '{allow: [any], unlimited: ["fd53::/48"], rate: 20, network_rate: 0, burst: 1, slip: 0}'
echo "www.lab.example A" >$tmp/names
# limited SOCKETS: what a client gets that asks 20 times as often as it may.
limited() {
	local begin end dropped
	dropped=$(verdict drop_limited)
	begin=$(date +%s%N)
	client dnsperf -s $service -d $tmp/names -Q 400 -l 4 -t 1 -c "$1" >$tmp/dnsperf.out 2>&1
	end=$(date +%s%N)
	completed=$(sed -nE 's/.*Queries completed: +([0-9]+) .*/\1/p' $tmp/dnsperf.out)
	sent=$(sed -nE 's/.*Queries sent: +([0-9]+).*/\1/p' $tmp/dnsperf.out)
	most=$((20 + 20 * (end - begin) / 1000000000 + 25)) # two workers may each give a burst between two looks
	check "of $sent queries $completed were answered, $most at most" test "$completed" -ge 20 -a "$completed" -le "$most"
	check "the rest is counted" test $(($(verdict drop_limited) - dropped)) -ge $((sent - most))
}
limited 1
check "reload: each query over the rate gets a reply" \
	access '{allow: [any], unlimited: ["fd53::/48"], rate: 1, network_rate: 0, burst: 1, slip: 1}'
# Ten at once, or a machine that takes a second for each would have asked no more than it may.
truncated() { client kdig +ignore +timeout=5 +retry=2 @$service $(printf 'www.lab.example %.0s' {1..10}) | grep -q ' tc'; }
check "TC, to ask again over TCP" eventually truncated
check "where it is answered, over its rate or not" eval 'eventually truncated && ask +tcp | grep -q "status: NOERROR"'
check "IPv6 clients have no limit" client dnsperf -s $service6 -d $tmp/names -Q 400 -l 2
same "and lost nothing" 0 "$(client dnsperf -s $service6 -d $tmp/names -Q 400 -l 1 | sed -nE 's/.*Queries lost: +([0-9]+) .*/\1/p')"

# One rate, whichever worker a client comes through: ports are spread over two.
lcore=$(sed -n 's/^  main_lcore: //p' $config)
"$lab" stop dataplane
sed -i "s/^  worker_lcores: \[/&$lcore, /" $config
check "a second worker" eval 'weirctl config reload && "$lab" start dataplane'
check "reload: 20 a second, of both" \
	access '{allow: [any], unlimited: ["fd53::/48"], rate: 20, network_rate: 0, burst: 1, slip: 0}'
before=$(weirctl --json stats --interval 0 | jq -c '[.dataplane.workers[].verdicts.drop_limited]')
limited 24
check "each of them has dropped some" test "$(weirctl --json stats --interval 0 |
	jq --argjson before "$before" '[[.dataplane.workers[].verdicts.drop_limited], $before] | transpose | map(.[0] > .[1]) | all')" = true
finish
