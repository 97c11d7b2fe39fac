# SPDX-License-Identifier: BSD-3-Clause
# A signed tree of zones, made with ldns: root, two TLDs (NSEC, NSEC3), and zones that are right, unsigned and wrong in
# several ways. One NSD serves all of them on 127.0.0.1:5303, as a forwarder that knows them would, or three serve the root,
# the TLDs and the others. Sourced by dnssec_test.sh and recursion_test.sh.
. "$smoke_dir/rig/servers.sh"

zones=$tmp/zones
mkdir $zones
declare -A key_of
key_make() { # key_make ZONE
	key_of[$1]=$(cd $zones && ldns-keygen -a ECDSAP256SHA256 "$1")
}
ds_of() { (cd $zones && ldns-key2ds -f -n -2 "${key_of[$1]}.key"); } # ds_of ZONE
file_of() { [ "$1" = . ] && echo $zones/root || echo "$zones/${1%.}"; }

server_of() { # server_of ZONE: the name of its server
	case $1 in
	.) echo ns1.host. ;;
	alpha. | beta.) echo ns2.host. ;;
	*) echo ns3.host. ;;
	esac
}

# records ZONE: the zone unsigned, with the records of standard input
records() {
	{
		echo "\$ORIGIN $1"
		echo "\$TTL 300"
		echo "@ SOA $(server_of "$1") mail.host. 1 3600 600 86400 300"
		echo "@ NS $(server_of "$1")"
		cat
	} >"$(file_of "$1")"
	cp "$(file_of "$1")" "$(file_of "$1").signed"
}
# names ZONE: what every zone at the bottom has
names() {
	records "$1" <<-END
		www A 192.0.2.1
		www TXT "text"
		*.wild A 192.0.2.2
		a.b.deep A 192.0.2.3
		inside CNAME www
		across CNAME www.good.alpha.
		to-bad CNAME www.badsig.alpha.
		to-none CNAME none.good.alpha.
	END
}
sign() { # sign ZONE OPTIONS...
	local zone=$1 file
	file=$(file_of "$1")
	shift
	(cd $zones && ldns-signzone -A "$@" -f "$file.signed" -o "$zone" "$file" "${key_of[$zone]}")
}
day() { date -u -d "$1 days" +%Y%m%d%H%M%S; }

leaves=(good nsec3 badsig expired early nods wrongds stripped unsigned algo)
tree_make() {
	local leaf zone i
	for leaf in "${leaves[@]}"; do
		zone=$leaf.alpha.
		names "$zone"
		key_make "$zone"
	done
	for zone in good.beta. unsigned.beta.; do
		names "$zone"
		key_make "$zone"
	done
	sign good.alpha. && sign nsec3.alpha. -n -t 1 -s ab && sign badsig.alpha. && sign nods.alpha. && sign wrongds.alpha. &&
		sign algo.alpha. && sign good.beta. && sign expired.alpha. -i "$(day -30)" -e "$(day -5)" &&
		sign early.alpha. -i "$(day 5)" -e "$(day 30)" || return
	sed -i 's/^\(www\.badsig.*\)192\.0\.2\.1$/\1192.0.2.9/' $zones/badsig.alpha.signed
	key_make . && key_make alpha. && key_make beta. && key_make other. || return
	for leaf in "${leaves[@]}"; do
		echo "$leaf NS ns3.host."
		case $leaf in
		nods | unsigned) ;;
		wrongds) ds_of other. | sed "s/^other\./wrongds.alpha./" ;;
		algo) ds_of algo.alpha. | sed 's/ 13 2 / 200 2 /' ;;
		*) ds_of "$leaf.alpha." ;;
		esac
	done | records alpha.
	{
		echo "good NS ns3.host."
		ds_of good.beta.
		echo "unsigned NS ns3.host."
	} | records beta.
	sign alpha. && sign beta. -n -t 1 -s cd || return
	{
		echo "alpha NS ns2.host."
		ds_of alpha.
		echo "beta NS ns2.host."
		ds_of beta.
		for i in 1 2 3; do echo "ns$i.host A 198.18.210.$i"; done
	} | records . && sign .
}
tlds=(alpha. beta.)
all_leaves=(good.beta. unsigned.beta. "${leaves[@]/%/.alpha.}")
nsd_run() { # nsd_run ADDRESS ZONES...: its process is $!
	local address=$1 zone
	shift
	{
		nsd_conf $zones "$address"
		for zone in "$@"; do nsd_zone "$zone" "$(file_of $zone).signed"; done
	} >"$zones/nsd.$address.conf"
	nsd -d -c "$zones/nsd.$address.conf" &
}
nsd_start() {
	nsd_run 127.0.0.1@5303 . "${tlds[@]}" "${all_leaves[@]}"
	nsd=$!
	eventually nsd_answers
}
nsd_answers() { kdig +short +timeout=1 +retry=0 @127.0.0.1 -p 5303 www.good.alpha A | grep -q 192.0.2; }
nsd_stop() { kill $nsd; wait $nsd 2>/dev/null; }

# The tree as the Internet has it: each level on a server of its own, on port 53 of 198.18.210.1, .2 and .3.
internet_start() {
	local i
	for i in 1 2 3; do ip addr add 198.18.210.$i/32 dev lo || return; done
	nsd_run 198.18.210.1 .
	internet=($!)
	nsd_run 198.18.210.2 "${tlds[@]}"
	internet+=($!)
	nsd_run 198.18.210.3 "${all_leaves[@]}"
	internet+=($!)
	printf '. 3600000 NS ns1.host.\nns1.host. 3600000 A 198.18.210.1\n' >$zones/hints
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
		"trust-anchor-file: '$zones/${key_of[.]}.key'" 'minimal-responses: no' ${1:+"root-hints: $zones/hints"} >$zones/unbound.conf
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
