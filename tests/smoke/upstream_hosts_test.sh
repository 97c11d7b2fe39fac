#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Upstream servers by host name, resolved by a scripted bootstrap server: plain and over TLS, in a group and in a forward
# zone; addresses that change, a bootstrap server that is dead or lies, weir's own address.
. "$(dirname "$0")/_init.sh"

dir=$tmp/hosts
mkdir $dir
. "$smoke_dir/upstream_lib.sh"
check "certificates" eval "authority ca && certificate good ca DNS:moves.test && certificate wrong ca DNS:other.test"
unbound_conf good 192.0.2.77 127.0.0.1@853 127.0.0.2@853 >$dir/unbound.conf
unbound_conf wrong 192.0.2.66 127.0.0.3@853 >$dir/wrong.conf
unbound -c $dir/unbound.conf 2>>$dir/unbound.err &
unbound -c $dir/wrong.conf 2>>$dir/unbound.err &

names=$tmp/names.log # of the bootstrap server
points_to() { printf '%s\n' "$@" >$names.moves; }
host() { weirctl --json upstreams | jq -r ".hosts[] | select(.host == \"$1\") | $2"; } # host HOST:PORT FIELD
host_is() { [ "$(host "$1" "$2")" = "$3" ]; }
looked_up() { [ "$(host "$1" .lookups)" -gt "$2" ]; }
answers() { [ "$(client kdig +short +timeout=2 +retry=0 @$service "$1" A)" = "$2" ]; }
look_again() { # in the end of a configuration that differs
	again=$((${again-0} + 1))
	servers "bootstrap: ['127.0.0.1:5310'], backoff: $((30 + again))" "$@"
}

lab_up
upstream 5310 $names
cp $config $tmp/plain.yaml
check "a name without bootstrap is refused" eval "! servers '' 'address: tls://moves.test' >$tmp/refused 2>&1"
check "with what to add" grep -q 'servers\[0\].address: is a host name.*upstreams.bootstrap: \[9.9.9.9\]' $tmp/refused
same "and weir goes on" 198.18.200.1 "$(short ok.before.test A)"

points_to 127.0.0.1
check "a server in clear text by name" look_again "address: 'ip_127_0_0_1.test:5301', name: plain"
check "checked without the network" env -i PATH="$PATH" $WEIR_BUILD/tools/ctl/weirctl config check $config
same "its answer" 198.18.200.1 "$(short ok.plain.test A)"
same "by its addresses" "127.0.0.1:5301 [fd53::1]:5301" "$(of plain .address | xargs)"
check "for both families" test "$(grep -ci ' ip_127_0_0_1.test \(1\|28\)$' $names)" -ge 2
check "test" weirctl upstream test plain
check "test by its host name" weirctl upstream test ip_127_0_0_1.test

check "over TLS by name" look_again 'address: tls://moves.test, name: tls'
same "an answer over TLS" 192.0.2.77 "$(short a.unbound.test A)"
same "at the address" tls://moves.test@127.0.0.1:853 "$(of tls .address)"
points_to 127.0.0.2
check "the address changes" look_again 'address: tls://moves.test, name: tls'
check "weir follows" eventually is tls .address tls://moves.test@127.0.0.2:853
same "an answer from there" 192.0.2.77 "$(short b.unbound.test A)"
same "from the cache: a change of address empties nothing" 192.0.2.77 "$(short a.unbound.test A)"
points_to 127.0.0.1 127.0.0.2
check "two addresses" look_again 'address: tls://moves.test, name: tls'
check "are two servers" eventually eval '[ "$(of tls .address | wc -l)" = 2 ]'
check "drained by name" weirctl upstream drain tls
same "both" "drained drained" "$(of tls .state | xargs)"
check "and back" weirctl upstream undrain tls
check "drained again" weirctl upstream drain moves.test
check "and back by an address" weirctl upstream undrain tls://moves.test@127.0.0.1:853
check "a reload" look_again 'address: tls://moves.test, name: tls'
same "drains none" "up up" "$(of tls .state | xargs)"
check "in /metrics" grep -q '^weir_upstream_host_addresses{host="moves.test:853"} 2' <<<"$(weirctl metrics)"
check "for a person" grep -q '^moves.test:853: 127.0.0.1, 127.0.0.2, resolved .* ago, next lookup in ' <<<"$(weirctl upstreams)"

# A bootstrap server that lies can deny the service of a server over TLS, no more.
points_to 127.0.0.3
check "the name of a server without its certificate" look_again 'address: tls://moves.test, name: tls'
check "weir asks there" eventually is tls .address tls://moves.test@127.0.0.3:853
check "and believes nothing" fails c.unbound.test
check "counted as a name" at_least tls .tls.failed_name 1
points_to 127.0.0.1
check "the right one again" look_again 'address: tls://moves.test, name: tls'
check "is found" eventually answers d.unbound.test 192.0.2.77

touch $names.down
before=$(host moves.test:853 .lookups)
check "the bootstrap server dies" look_again 'address: tls://moves.test, name: tls' 'address: ip_127_0_0_9.test, name: lost'
same "the known address serves" 192.0.2.77 "$(short e.unbound.test A)"
check "a lookup has failed" eventually looked_up moves.test:853 $before
same "and kept the address" 127.0.0.1 "$(host moves.test:853 '.addresses | join(" ")')"
same "the reason" 'no bootstrap server answers' "$(host moves.test:853 .error)"
same "the new name has none" "no address" "$(of lost .state)"
check "which status says" grep -q '^ip_127_0_0_9.test:53: NAME NOT RESOLVED, since' <<<"$(weirctl status)"
check "test says it too" eval "! weirctl upstream test lost >$tmp/lost; grep -q 'the host name has no address' $tmp/lost"

# Names of groups and zones, and weir's own address: the bootstrap server is back.
rm $names.down
{
	cat $tmp/plain.yaml
	echo "forward_zones: [{name: zone.test, servers: ['ip_127_0_0_1.zone:5301']}]"
	echo "groups: [{name: lab, clients: [198.18.0.0/15], upstreams: [{address: tls://moves.test}]}]"
} >$dir/with.yaml
cp $dir/with.yaml $tmp/plain.yaml
check "a zone and a group with names" look_again 'address: 127.0.0.1, name: other'
check "the group's server" eventually answers f.unbound.test 192.0.2.77
check "the zone's server" eventually answers ok.zone.test 198.18.200.1
points_to 198.18.0.53
check "a name with weir's own address" look_again 'address: moves.own, name: own'
check "is refused" eventually host_is moves.own:53 .refused 1
same "and has no address" "no address" "$(of own .state)"
check "logged" grep -q 'moves.own: weir does not use the address 198.18.0.53' /run/weir/lab/controlplane.log
finish
