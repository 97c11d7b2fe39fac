# SPDX-License-Identifier: BSD-3-Clause
# A signed tree of zones, made with ldns and served by one NSD on 127.0.0.1:5303, which answers for all of them, as a
# forwarder that knows them would: root, two TLDs (NSEC, NSEC3), and zones that are right, unsigned and wrong in several ways.
# Sourced by dnssec_test.sh.

zones=$tmp/zones
mkdir $zones
declare -A key_of
key_make() { # key_make ZONE
	key_of[$1]=$(cd $zones && ldns-keygen -a ECDSAP256SHA256 "$1")
}
ds_of() { (cd $zones && ldns-key2ds -f -n -2 "${key_of[$1]}.key"); } # ds_of ZONE
file_of() { [ "$1" = . ] && echo $zones/root || echo "$zones/${1%.}"; }

# records ZONE: the zone unsigned, with the records of standard input
records() {
	{
		echo "\$ORIGIN $1"
		echo "\$TTL 300"
		echo "@ SOA ns.host. mail.host. 1 3600 600 86400 300"
		echo "@ NS ns.host."
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
	local leaf zone
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
		echo "$leaf NS ns.host."
		case $leaf in
		nods | unsigned) ;;
		wrongds) ds_of other. | sed "s/^other\./wrongds.alpha./" ;;
		algo) ds_of algo.alpha. | sed 's/ 13 2 / 200 2 /' ;;
		*) ds_of "$leaf.alpha." ;;
		esac
	done | records alpha.
	{
		echo "good NS ns.host."
		ds_of good.beta.
		echo "unsigned NS ns.host."
	} | records beta.
	sign alpha. && sign beta. -n -t 1 -s cd || return
	{
		echo "alpha NS ns.host."
		ds_of alpha.
		echo "beta NS ns.host."
		ds_of beta.
	} | records . && sign .
}
nsd_start() {
	local zone
	{
		cat <<-END
			server:
			  ip-address: 127.0.0.1@5303
			  username: ""
			  chroot: ""
			  zonesdir: "$zones"
			  database: ""
			  pidfile: ""
			  xfrdfile: "$zones/xfrd"
			  zonelistfile: "$zones/list"
			  logfile: "$zones/nsd.log"
			  server-count: 1
			remote-control:
			  control-enable: no
		END
		for zone in . alpha. beta. good.beta. unsigned.beta. "${leaves[@]/%/.alpha.}"; do
			printf 'zone:\n  name: "%s"\n  zonefile: "%s.signed"\n' "$zone" "$(file_of $zone)"
		done
	} >$zones/nsd.conf
	nsd -d -c $zones/nsd.conf &
	nsd=$!
	eventually nsd_answers
}
nsd_answers() { kdig +short +timeout=1 +retry=0 @127.0.0.1 -p 5303 www.good.alpha A | grep -q 192.0.2; }
nsd_stop() { kill $nsd; wait $nsd 2>/dev/null; }

# Another implementation's view of it: unbound as a validating forwarder on 127.0.0.1:5302.
unbound_start() {
	cat >$zones/unbound.conf <<-END
		server:
		  interface: 127.0.0.1@5302
		  directory: $zones
		  chroot: ""
		  username: ""
		  pidfile: ""
		  use-syslog: no
		  do-daemonize: no
		  logfile: $zones/unbound.log
		  access-control: 127.0.0.0/8 allow
		  do-not-query-localhost: no
		  module-config: "validator iterator"
		  trust-anchor-file: "$zones/${key_of[.]}.key"
		  minimal-responses: no
		forward-zone:
		  name: "."
		  forward-addr: 127.0.0.1@5303
		remote-control:
		  control-enable: no
	END
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
