# SPDX-License-Identifier: BSD-3-Clause
# A private Internet of some 270 zones on name servers of their own (NSD), and resolvers that know its root: unbound, BIND and
# an unbound that does not validate. Sourced by internet_test.sh and internet_load_test.sh.
. "$smoke_dir/rig/servers.sh"

zones=$tmp/internet
mkdir $zones
started=()

# servers_start N...: these servers, each on port 53 of 198.18.210.N
servers_start() {
	local i
	for i; do server_start $i || return; done
	for i; do eventually server_answers $i || return; done
}
server_start() {
	ip addr add 198.18.210.$1/32 dev lo || return
	{
		nsd_conf $zones 198.18.210.$1
		printf 'remote-control:\n  control-enable: yes\n  control-interface: %s\n' $zones/nsd.$1.socket
		nsd_zones $zones/ns$1.list
	} >$zones/nsd.$1.conf
	nsd -d -c $zones/nsd.$1.conf &
	started+=($!)
}
server_answers() { # the last of its zones
	[ "$(kdig +timeout=1 +retry=0 +norec @198.18.210.$1 "$(tail -n 1 $zones/ns$1.list | cut -d' ' -f1)" SOA | rcode_of)" = NOERROR ]
}
server_queries() { nsd-control -c $zones/nsd.$1.conf stats_noreset | sed -n 's/^num.queries=//p'; }

# unbound_start PORT MODULES
unbound_start() {
	unbound_conf $zones unbound.$1 "interface: 127.0.0.1@$1" 'do-ip6: no' "module-config: '$2'" "trust-anchor-file: $zones/anchor" \
		"root-hints: $zones/hints" 'minimal-responses: no' 'aggressive-nsec: no' 'ede: yes' >$zones/unbound.$1.conf
	unbound -c $zones/unbound.$1.conf 2>>$zones/unbound.$1.err &
	started+=($!)
	eventually resolver_answers $1
}
# named_start PORT
named_start() {
	local key
	key=$(sed 's/.*DNSKEY \([0-9]*\) \([0-9]*\) \([0-9]*\) \(.*\)/\1 \2 \3 "\4"/; s/ \([^"]\)/ \1/g' $zones/anchor)
	cat >$zones/named.conf <<-END
		options {
			directory "$zones";
			listen-on port $1 { 127.0.0.1; };
			listen-on-v6 { none; };
			pid-file none;
			session-keyfile none;
			managed-keys-directory "$zones";
			recursion yes;
			resolver-query-timeout 3000; // for the keys of a broken zone BIND waits so long
			allow-query { any; };
			dnssec-validation yes;
			empty-zones-enable no;
			minimal-responses no;
			minimal-any no;
			synth-from-dnssec no;
		};
		controls { };
		logging { channel file { file "$zones/named.log"; severity info; }; category default { file; }; };
		trust-anchors { . static-key $key; };
		zone "." { type hint; file "$zones/hints"; };
	END
	named -f -4 -n 1 -c $zones/named.conf 2>$zones/named.err &
	started+=($!)
	eventually resolver_answers $1
}
resolver_answers() { [ "$(kdig +timeout=2 +retry=0 @127.0.0.1 -p $1 plain. SOA | rcode_of)" = NOERROR ]; }
internet_stop() { kill "${started[@]}"; wait "${started[@]}" 2>/dev/null; }
# With the lab's configuration in $tmp/plain.yaml.
settings() { # settings UPSTREAMS
	{
		sed '/^upstreams:/,/^[^ ]/{/^upstreams:/d;/^ /d}' $tmp/plain.yaml
		echo "upstreams: {root_hints: $zones/hints, $1}"
		echo "dnssec: {anchors: $zones/anchor, validate: true}"
	} >$config
	taken_over weirctl config reload --keep
}
