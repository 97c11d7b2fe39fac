# SPDX-License-Identifier: BSD-3-Clause
# A signed tree of zones: root, two TLDs (NSEC, NSEC3), and zones that are right, unsigned and wrong in
# several ways. One NSD serves all of them on 127.0.0.1:5303, as a forwarder that knows them would, or three serve the root,
# the TLDs and the others. Sourced by dnssec_test.sh and recursion_test.sh.
. "$smoke_dir/rig/servers.sh"

zones=$tmp/zones
mkdir $zones
leaves=(good nsec3 badsig expired early nods wrongds stripped unsigned algo)
tree_make() { $python "$smoke_dir/rig/internet_make.py" $zones tree; }
nsd_run() { # nsd_run ADDRESS LIST...: its process is $!
	local conf=$zones/nsd.$1.conf
	{ nsd_conf $zones "$1" && nsd_zones "${@:2}"; } >"$conf"
	nsd -d -c "$conf" &
}
nsd_start() {
	nsd_run 127.0.0.1@5303 $zones/ns{1,2,3}.list
	nsd=$!
	eventually nsd_answers
}
nsd_answers() { kdig +short +timeout=1 +retry=0 @127.0.0.1 -p 5303 www.good.alpha A | grep -q 192.0.2; }
nsd_stop() { kill $nsd; wait $nsd 2>/dev/null; }

# The tree as the Internet has it: each level on a server of its own, on port 53 of 198.18.210.1, .2 and .3.
internet_start() {
	local i
	for i in 1 2 3; do ip addr add 198.18.210.$i/32 dev lo || return; done
	internet=()
	for i in 1 2 3; do nsd_run 198.18.210.$i $zones/ns$i.list && internet+=($!); done
	eventually internet_answers
}
internet_answers() {
	kdig +short +timeout=1 +retry=0 @198.18.210.1 ns3.host. A | grep -q 198.18.210.3 &&
		kdig +noall +authority +timeout=1 +retry=0 @198.18.210.2 www.good.alpha. A | grep -q ns3.host &&
		kdig +short +timeout=1 +retry=0 @198.18.210.3 www.good.alpha. A | grep -q 192.0.2
}

# Another implementation's view of it: unbound on 127.0.0.1:5302, which validates and asks NSD at that one address, or, with
# an argument, resolves from the root.
unbound_start() {
	unbound_conf $zones unbound 'interface: 127.0.0.1@5302' 'do-not-query-localhost: no' 'module-config: "validator iterator"' \
		"trust-anchor-file: $zones/anchor" 'minimal-responses: no' ${1:+"root-hints: $zones/hints"} >$zones/unbound.conf
	[ $# -gt 0 ] || printf 'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@5303\n' >>$zones/unbound.conf
	unbound -c $zones/unbound.conf 2>>$zones/unbound.err &
	unbound=$!
	eventually unbound_answers
}
unbound_answers() { kdig +short +timeout=1 +retry=0 @127.0.0.1 -p 5302 www.good.alpha A | grep -q 192.0.2; }

questions() {
	local zone name
	for zone in good.beta unsigned.beta "${leaves[@]/%/.alpha}"; do
		for name in www none x.wild deep inside across to-bad to-none; do echo "$name.$zone A"; done
		echo "www.$zone TXT"
		echo "www.$zone AAAA"
		echo "x.wild.$zone AAAA"
		echo "$zone SOA"
		echo "$zone DNSKEY"
		echo "$zone DS"
	done
	echo ". NS"
	echo "alpha DNSKEY"
	echo "none A"
	echo "none.beta A"
}
