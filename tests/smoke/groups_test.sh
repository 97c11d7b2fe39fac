#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Groups of clients in a running lab: lists, servers and cache by source address; a reload moves clients at once, also
# with the control plane restarted or gone.
. "$(dirname "$0")/_init.sh"

upstream 5302 $tmp/up2.log
lab_up
cp $config $tmp/plain.yaml
check "two more clients" client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2) &&
	ip addr add 198.18.0.3/24 dev $dev && ip addr add 198.18.0.4/24 dev $dev'
from() { local who=$1; shift; short -b "$who" "$@"; }
asked() { up_log "$1" | grep -c " $2 1\$"; }
groups() { # groups TEXT: the lab's configuration with these groups, in force
	cat $tmp/plain.yaml - <<<"$1" >$config
	weirctl config reload
}

same "without groups: cached for all" 198.18.200.1 "$(from 198.18.0.3 ok-3000.cached.test A)"
check "groups by a reload" groups 'groups:
- {name: own, clients: [198.18.0.3/32], upstreams: [{address: "127.0.0.1:5302"}]}
- {name: bare, clients: [198.18.0.4], disable_cache: true, blocking: false}'
check "are activated" eventually activated
same "a client of a group with its own server" 198.18.200.1 "$(from 198.18.0.3 ok-3000.cached.test A)"
own=$(asked $tmp/up2.log ok-3000.cached.test) # 1, or more when the server was late
check "is not given what others have cached" test $own -ge 1
same "but its own" 198.18.200.1 "$(from 198.18.0.3 ok-3000.cached.test A)"
same "once that is" $own "$(asked $tmp/up2.log ok-3000.cached.test)"
before=$(asked $tmp/up.log ok-3000.cached.test)
from 198.18.0.4 ok-3000.cached.test A >/dev/null
between=$(asked $tmp/up.log ok-3000.cached.test)
from 198.18.0.4 ok-3000.cached.test A >/dev/null
after=$(asked $tmp/up.log ok-3000.cached.test)
check "without cache: asked each time" test $between -gt $before -a $after -gt $between
same "everyone else: from the cache" 198.18.200.1 "$(from 198.18.0.2 ok-3000.cached.test A)"
same "as before" $after "$(asked $tmp/up.log ok-3000.cached.test)"
same "blocked for everyone" "" "$(from 198.18.0.2 blocked.test A)"
check "but not in a group where nothing is" test -n "$(from 198.18.0.4 ok.blocked.test A)"
same "status names the groups" "own bare" "$(weirctl --json status | jq -r '[.controlplane.groups[].name] | join(" ")')"
check "and counts their queries" test "$(weirctl --json stats --interval 0 |
	jq '[.dataplane.groups[] | select(.group == 2) | .queries] | add')" -ge 3
check "for a person too" grep -qE '^ *own +1 ' <<<"$(weirctl status)"

"$lab" kill controlplane >/dev/null
same "control plane dead: each still its own cache" 198.18.200.1 "$(from 198.18.0.3 ok-3000.cached.test A)"
check "started again" "$lab" start controlplane
check "activated again" eventually activated
same "the same definition: warm" 198.18.200.1 "$(from 198.18.0.3 ok-3000.cached.test A)"
same "without a query" $own "$(asked $tmp/up2.log ok-3000.cached.test)"

check "the group with another server" groups 'groups:
- {name: own, clients: [198.18.0.3/32], upstreams: [{address: "127.0.0.1:5301"}, {address: "127.0.0.1:5302"}]}'
check "activated" eventually activated
before=$(($(asked $tmp/up.log ok-3000.cached.test) + $(asked $tmp/up2.log ok-3000.cached.test)))
from 198.18.0.3 ok-3000.cached.test A >/dev/null
after=$(($(asked $tmp/up.log ok-3000.cached.test) + $(asked $tmp/up2.log ok-3000.cached.test)))
check "nothing of the old definition is served" test $after -gt $before
same "a bad group is refused, and why is said" 1 "$(groups 'groups: [{name: x, clients: [198.18.0.1/24]}]' 2>&1 |
	grep -c 'groups "x": clients\[0\]: has bits set behind its prefix of 24')"

room=$(df -k --output=used /run | tail -1)
check "no memory for an image of the groups" mount -o remount,size=$((room + 64))k /run
same "a reload says so" 1 "$(groups 'groups: [{name: own, clients: [198.18.0.3/32], upstreams: [{address: "127.0.0.1:5302"}]}]' 2>&1 |
	grep -c 'except the groups: No space left on device')"
sleep 11
same "clients are answered as before" 198.18.200.1 "$(from 198.18.0.3 ok-3000.later.test A)"
check "memory again" mount -o remount,size=50% /run
check "no groups" groups ''
check "activated" eventually activated
before=$(asked $tmp/up.log ok-3000.cached.test)
same "everyone is everyone" 198.18.200.1 "$(from 198.18.0.3 ok-3000.cached.test A)"
same "from the shared cache" $before "$(asked $tmp/up.log ok-3000.cached.test)"

check "groups with one IP version" groups "groups:
- {name: six, clients: [198.18.0.3], dns64: '64:ff9b::/96'}
- {name: four, clients: [198.18.0.4], filter_aaaa: true}"
check "activated" eventually activated
same "DNS64: AAAA of the A record" 64:ff9b::c612:c801 "$(from 198.18.0.3 v4-3000.nat64.test AAAA)"
same "and the name of such an address" 1 "$(from 198.18.0.3 -x 64:ff9b::c612:c801 | grep -c '^1.200.18.198.in-addr.arpa.$')"
check "a name with AAAA keeps it" test "$(from 198.18.0.3 ok-3000.nat64.test AAAA)" = "$(from 198.18.0.2 ok-3000.nat64.test AAAA)"
same "everyone else: no AAAA" "" "$(from 198.18.0.2 v4-3000.nat64.test AAAA)"
same "and none for a group without IPv6" "" "$(from 198.18.0.4 ok-3000.nat64.test AAAA)"
same "but A" 198.18.200.1 "$(from 198.18.0.4 ok-3000.nat64.test A)"

day="from: '00:00', to: '24:00'"
check "groups with rules of their own" groups "groups:
- {name: kids, clients: [198.18.0.3], deny: [ok-3100.cached.test], allow: [ok.blocked.test], services: [signal],
   block: {mode: address, ipv4: 198.18.99.99}, schedules: [{name: day, $day, domains: [ok-3101.cached.test]}]}
- {name: bed, clients: [198.18.0.4], allow: [ok-3102.cached.test], schedules: [{name: bed, $day, block_all: true}]}"
check "activated" eventually activated
is() { [ "$(from "$2" "$3" A)" = "$1" ]; }
check "denied in the group, by its reply" eventually is 198.18.99.99 198.18.0.3 ok-3100.cached.test
same "and nowhere else" 198.18.200.1 "$(from 198.18.0.2 ok-3100.cached.test A)"
check "allowed in the group" test -n "$(from 198.18.0.3 ok.blocked.test A)"
same "and nowhere else" "" "$(from 198.18.0.2 ok.blocked.test A)"
same "a service" 198.18.99.99 "$(from 198.18.0.3 www.signal.org A)"
same "a schedule's domains" 198.18.99.99 "$(from 198.18.0.3 ok-3101.cached.test A)"
same "a schedule that blocks all, what is cached too" "" "$(from 198.18.0.4 ok-3000.cached.test A)"
same "but what is allowed" 198.18.200.1 "$(from 198.18.0.4 ok-3102.cached.test A)"
check "weirctl shows it" grep -qE '^ *bed +bed +daily +00:00 +24:00 +block all +on' <<<"$(weirctl groups)"
check "a pause of the group" weirctl blocklist pause 5 --group bed
check "gives it everything" eventually is 198.18.200.1 198.18.0.4 ok-3000.cached.test
check "its end" weirctl blocklist resume --group bed
check "takes it away" eventually is "" 198.18.0.4 ok-3000.cached.test
check "a pause for everyone" eventually weirctl blocklist pause 5
check "ends what the rules block" eventually is 198.18.200.1 198.18.0.3 ok-3100.cached.test
same "but not a schedule that blocks all" "" "$(from 198.18.0.4 ok-3000.cached.test A)"
same "why says the same" "true blocked" \
	"$(weirctl --json why ok-3000.cached.test --client 198.18.0.4 | jq -r '"\(.steps[] | select(.step == "time") | .decides) \(.verdict)"')"
same "the reply names the group" 1 "$(weirctl blocklist pause 5 | grep -c 'group bed stays blocked by a schedule')"
check "a pause that says so" weirctl blocklist pause 5 --all
check "ends that, too" eventually is 198.18.200.1 198.18.0.4 ok-3000.cached.test
check "its end" weirctl blocklist resume
check "takes it away" eventually is "" 198.18.0.4 ok-3000.cached.test
same "no such group" 1 "$(weirctl blocklist pause 5 --group nobody 2>&1 | grep -c 'no group "nobody"; groups: everyone, ')"
mac=$(client bash -c 'ip -o link show dev $(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2)' |
	sed -n 's/.*ether \([^ ]*\).*/\1/p')
check "a group by MAC" groups "groups:
- {name: card, clients: ['$mac'], deny: [ok-3103.cached.test], block: {mode: 'null'}}
- {name: address, clients: [198.18.0.3], blocking: false}"
check "activated" eventually activated
check "whatever the address" eventually is 0.0.0.0 198.18.0.3 ok-3103.cached.test

# Frames with a tag by hand: the kernel here may know no VLANs. The reply has the tag of the query.
in_vlan() { [ "$(client $python "$smoke_dir/rig/vlan_ask.py" "$1" "$3" "$4")" = "$1 $2" ]; }
of_group() { weirctl --json stats --interval 0 | jq "[.dataplane.groups[] | select(.group == $1) | .queries] | add // 0"; }
check "a group by VLAN" groups "groups:
- {name: lan10, vlans: [10], deny: [ok-3104.cached.test], block: {mode: 'null'}}
- {name: address, clients: [198.18.0.11], blocking: false}"
check "activated" eventually activated
was=$(of_group 1)
same "a client without a tag is not in it" 198.18.200.1 "$(from 198.18.0.3 ok-3104.cached.test A)"
check "nor is one of another VLAN" eventually in_vlan 11 198.18.200.1 198.18.0.3 ok-3104.cached.test
same "so far it has no query" "$was" "$(of_group 1)"
check "a client of the VLAN is" eventually in_vlan 10 0.0.0.0 198.18.0.3 ok-3104.cached.test
check "and gets what its group may have" eventually in_vlan 10 198.18.200.1 198.18.0.3 ok-3105.cached.test
check "an address in another group beats the VLAN" eventually in_vlan 10 198.18.200.1 198.18.0.11 ok-3104.cached.test
counted() { [ "$(of_group 1)" -ge $((was + 2)) ]; }
check "its queries are counted for the group" eventually counted
same "why knows the VLAN" "vlan lan10 blocked" "$(weirctl --json why ok-3104.cached.test --client 198.18.0.10 --vlan 10 |
	jq -r '"\(.client.found_by) \(.client.group) \(.verdict)"')"
same "which must be one" 1 "$(weirctl why ok-3104.cached.test --vlan 4095 2>&1 | grep -c 'must be a VLAN number')"
check "weirctl groups has it" grep -qE '^ *lan10 +0 +0 +1 ' <<<"$(weirctl groups)"

check "no groups" groups ''
check "activated" eventually activated
check "every frame has one verdict" verdicts_add_up
finish
