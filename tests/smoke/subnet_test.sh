#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# EDNS Client Subnet in a running lab: an upstream that answers by subnet, clients of several addresses, one that hides
# its own; the cache by scope, shown and flushed, with the control plane restarted.
. "$(dirname "$0")/_init.sh"

lab_up
cp $config $tmp/plain.yaml
check "two more clients" client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2) &&
	ip addr add 198.18.0.3/24 dev $dev && ip addr add 198.18.0.4/24 dev $dev'
from() { local who=198.18.0.$1; shift; short -b "$who" "$@"; }
asked() { up_log | grep -cE "$1"; } # lines with PATTERN
# Upstreams with these keys, in force. The change removes what is cached.
subnets() {
	sed "s/^upstreams:/&\n  $1/" $tmp/plain.yaml >$config
	weirctl config reload
}
up() { weirctl --json upstreams | jq -r ".upstreams[0] | $1"; }
answers() { [ "$(weirctl --json cache get "$1" | jq '.entries | length')" = "$2" ]; } # are there so many of NAME?
stat() { weirctl --json stats --interval 0 | jq ".controlplane.resolver.$1"; }

same "by default none is sent" 198.18.200.1 "$(from 2 near.default.test A)"
same "nor shown" false "$(up .sends_client_subnet)"
check "by a reload" subnets 'client_subnet_ipv4: 32'
same "shown" "true 32 0" "$(up '"\(.sends_client_subnet) \(.client_subnet_ipv4) \(.client_subnet_ipv6)"')"
check "for a person too" grep -q 'gets the subnet of clients: 32 bits of IPv4, 0 bits of IPv6' <<<"$(weirctl upstreams)"

same "a client has its answer" 198.18.2.32 "$(from 2 near.a.test A)"
same "another one its own" 198.18.3.32 "$(from 3 near.a.test A)"
before=$(asked ' near.a.test 1 ')
same "each from the cache" "198.18.2.32 198.18.3.32" "$(from 2 near.a.test A) $(from 3 near.a.test A)"
same "without a question" $before "$(asked ' near.a.test 1 ')"
check "by their subnets" grep -qE ' near.a.test 1 198.18.0.3/32$' <<<"$(up_log)"
same "an answer for everyone" 198.18.200.1 "$(from 2 ok.b.test A)"
before=$(asked ' ok.b.test 1 ')
same "is everyone's" 198.18.200.1 "$(from 3 ok.b.test A)"
same "without a question" $before "$(asked ' ok.b.test 1 ')"
same "a client that hides its address has another one" 198.18.0.0 "$(from 4 near.a.test A +subnet=0.0.0.0/0)"
check "of which the server saw nothing" grep -qE ' near.a.test 1 0.0.0.0/0$' <<<"$(up_log)"
check "no subnet of weir's own" test "$(asked ' 198.18.0.53/')" = 0
same "a client's own option counts for nothing" 198.18.2.32 "$(from 2 near.a.test A +subnet=192.0.2.9/32)"
same "one that says fewer bits hides it" 198.18.0.0 "$(from 2 near.a.test A +subnet=192.0.2.0/24)"
same "over TCP as well" 198.18.3.32 "$(from 3 near.a.test A +tcp)"
check "counted" test "$(stat subnet_sent)" -ge 4 -a "$(stat subnet_answers)" -ge 3 -a "$(stat subnet_hits)" -ge 3

weirctl --json cache get near.a.test >$tmp/cache
same "cache get: for whom" "0.0.0.0/0 198.18.0.2/32 198.18.0.3/32" \
	"$(jq -r '[.entries[].subnet] | sort | join(" ")' $tmp/cache)"
check "for a person too" grep -q ' for 198.18.0.3/32' <<<"$(weirctl cache get near.a.test)"
check "why" grep -q 'for clients of 198.18.0.3/32' <<<"$(weirctl why near.a.test --client 198.18.0.3)"
"$lab" kill controlplane >/dev/null
check "the control plane started again" "$lab" start controlplane
check "their answers are there" eventually answers near.a.test 3
check "flushed by name" weirctl cache flush near.a.test
check "all of them" answers near.a.test 0

echo 'forward_zones: [{name: own.test, servers: ["127.0.0.1:5301"], client_subnet_ipv4: 0}]' >>$config
check "a zone with another choice" weirctl config reload
same "of which the servers get none" 198.18.200.1 "$(from 2 near.own.test A)"
same "as all see" 198.18.200.1 "$(from 3 near.own.test A)"
finish
