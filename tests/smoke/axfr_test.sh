#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A policy zone as a list, transferred from NSD: what its records mean, a new serial, one that stays, and a server that
# refuses, goes, and comes back; then by keys, and over TLS. From Knot DNS: differences.
. "$(dirname "$0")/_init.sh"
dir=$tmp
. "$(dirname "$0")/upstream_lib.sh"

zone() { # zone SERIAL RECORDS: the policy zone, with a line that weir does not take
	{
		echo "\$ORIGIN rpz.test."
		echo "\$TTL 60"
		echo "@ SOA ns.rpz.test. admin.rpz.test. $1 3600 600 86400 60"
		echo "@ NS ns.rpz.test."
		echo "32.1.2.0.192.rpz-client-ip CNAME ."
		echo "$2"
	} >$tmp/rpz.zone
}
nsd_start() { # nsd_start ACCESS: NSD, which gives the zone to whom ACCESS says
	{
		nsd_conf $tmp 127.0.0.1@5353 'ip-address: 127.0.0.1@8853' 'tls-port: 8853' "tls-service-key: $tmp/server.key" \
			"tls-service-pem: $tmp/server.pem"
		printf 'key:\n  name: %s\n  algorithm: %s\n  secret: "%s"\n' weir-key hmac-sha256 "$secret" long-key hmac-sha512 "$long"
		nsd_zone rpz.test rpz.zone "provide-xfr: $1"
	} >$tmp/nsd.conf
	nsd -d -c $tmp/nsd.conf &
	nsd=$!
	eventually nsd_answers
}
secret=$(head -c 32 /dev/urandom | base64 -w 0)
long=$(head -c 64 /dev/urandom | base64 -w 0)
nsd_answers() { kdig +short +timeout=1 +retry=0 @127.0.0.1 -p 5353 rpz.test SOA | grep -q admin; }
nsd_stop() { kill $nsd; wait $nsd 2>/dev/null; }
list() { weirctl --json blocklist status | jq -r ".lists[] | select(.name == \"rpz.test\") | $1"; }
status_of() { rcode @$service "$1" A; }
settings() { # settings MORE URL: the lab's configuration with the zone as a list
	awk -v more="$1" -v url="${2-axfr://127.0.0.1:5353}" '
		{ print }
		/^blocking:/ {
			print "  update: {allow_private: true, timeout: 20}"
			print "  tsig_keys:"
			print "    - {name: weir-key, secret_file: '$tmp'/secret}"
			print "    - {name: long-key, algorithm: hmac-sha512, secret_file: '$tmp'/long}"
		}
		/^  lists:/ { print "    - {url: " url "/rpz.test" more "}" }' $tmp/plain.yaml >$config
	taken_over weirctl config reload
}

authority ca 2>/dev/null
authority other 2>/dev/null
certificate server ca DNS:primary.example 2>/dev/null
lab_up
head -c 32 /dev/urandom | base64 -w 0 >$tmp/secret # not that of NSD
echo "$long" >$tmp/long
cp $config $tmp/plain.yaml
$python - >$tmp/many <<'END'
for i in range(8000):
    print(f"host{i}.many.test CNAME .")
END
zone 1 "nx.test CNAME .
*.nx.test CNAME .
nodata.test CNAME *.
ok-3000.pass.blocked.test CNAME rpz-passthru.
other.test A 192.0.2.55
$(cat $tmp/many)"
check "NSD" nsd_start "127.0.0.1 NOKEY"
check "a list from it" settings ""
fetched() { [ "$(list .names)" -ge 8000 ] 2>/dev/null; }
eventually fetched
same "a line refused" zone_trigger "$(list '.rejected_by[].reason')"
is() { [ "$(status_of "$1")" = "$2" ]; }
check "a name" eventually is nx.test NXDOMAIN
same "one below" NXDOMAIN "$(status_of a.nx.test)"
same "the last of many" NXDOMAIN "$(status_of host7999.many.test)"
same "no data" NOERROR "$(status_of nodata.test)"
same "a record" 192.0.2.55 "$(short other.test A)"
same "one that passes, of another list" 198.18.200.1 "$(short ok-3000.pass.blocked.test A)"

file=$(echo /run/weir/lab/state/lists/*.list)
inode=$(stat -c %i $file)
check "the same serial" weirctl blocklist reload
same "is no error" false "$(list .failing)"
same "and leaves the file" "$inode" "$(stat -c %i $file)"
same "of that serial" 1 "$(grep -c 'serial 1' ${file%.list}.state)"

nsd_stop
zone 2 "later.test CNAME ."
check "a new serial" nsd_start "127.0.0.1 NOKEY"
check "is fetched" weirctl blocklist reload
check "what is new is there" eventually is later.test NXDOMAIN
check "what left is not" eventually is ok-3000.nx.test NOERROR

nsd_stop
zone 3 "third.test CNAME ."
check "one that refuses" nsd_start "127.0.0.2 NOKEY"
weirctl blocklist reload >$tmp/reload.out
same "fails the reload" 1 $?
check "and says why" grep -q 'list "rpz.test" not fetched (the server replied REFUSED (5))' $tmp/reload.out
same "the rules stay" NXDOMAIN "$(status_of later.test)"
nsd_stop
weirctl blocklist reload >$tmp/reload.out
check "so it is without a server" grep -q 'cannot connect: Connection refused' $tmp/reload.out
check "restart" "$lab" stop controlplane
check "again" "$lab" start controlplane
same "the rules stay" NXDOMAIN "$(status_of later.test)"
check "NSD again" nsd_start "127.0.0.1 NOKEY"
check "the next reload" weirctl blocklist reload
check "has the zone" eventually is third.test NXDOMAIN

nsd_stop
zone 4 "signed.test CNAME .
$(cat $tmp/many)"
check "NSD that wants a key" nsd_start "127.0.0.1 weir-key"
weirctl blocklist reload >$tmp/reload.out
check "none" grep -qE 'not fetched .the server replied (NOTAUTH|REFUSED)' $tmp/reload.out
check "one with another secret" settings ", tsig: weir-key"
refused() { list .fetch_error | grep -q 'the server refused the TSIG: BADSIG'; }
check "is refused" eventually refused
check "one that may not have the zone" settings ", tsig: long-key"
not_allowed() { list .fetch_error | grep -qE 'replied (NOTAUTH|REFUSED)'; }
check "is refused" eventually not_allowed
same "the rules stay" NXDOMAIN "$(status_of third.test)"
check "the first one again" settings ", tsig: weir-key"
check "is refused again" eventually refused
echo "$secret" >$tmp/secret
check "with the secret of NSD" weirctl config reload
check "it has the zone at once" eventually is signed.test NXDOMAIN
check "and its last record" eventually is host7999.many.test NXDOMAIN
nsd_stop
zone 5 "longer.test CNAME ."
check "NSD that wants the other key" nsd_start "127.0.0.1 long-key"
check "of hmac-sha512" settings ", tsig: long-key"
weirctl blocklist reload >$tmp/reload.out
check "has the zone" eventually is longer.test NXDOMAIN
nsd_stop
zone 6 "secret.test CNAME .
$(cat $tmp/many)"
check "NSD over TLS" nsd_start "127.0.0.1 weir-key"
check "a list by it" settings ", tsig: weir-key, ca_file: $tmp/ca.pem" axfr+tls://primary.example@127.0.0.1:8853
check "is there" eventually is secret.test NXDOMAIN
check "to its last record" eventually is host7999.many.test NXDOMAIN
same "as the status shows it" axfr+tls://127.0.0.1:8853/rpz.test "$(list .url)"
check "the same serial" weirctl blocklist reload
same "is no error" false "$(list .failing)"
zone 7 "wrong.test CNAME ."
nsd_stop
check "a new serial" nsd_start "127.0.0.1 weir-key"
check "from another name" settings ", tsig: weir-key, ca_file: $tmp/ca.pem" axfr+tls://other.example@127.0.0.1:8853
for_another() { list .fetch_error | grep -q "TLS handshake failed: the certificate is for another name"; }
check "is refused" eventually for_another
check "from an address" settings ", tsig: weir-key, ca_file: $tmp/ca.pem" axfr+tls://127.0.0.1:8853
check "is refused" eventually for_another
check "of another authority" settings ", tsig: weir-key, ca_file: $tmp/other.pem" \
	axfr+tls://primary.example@127.0.0.1:8853
untrusted() { list .fetch_error | grep -q "TLS handshake failed: .*issuer"; }
check "is refused" eventually untrusted
check "with another key" settings ", tsig: weir-key, ca_file: $tmp/ca.pem, pin: [\"$(pin_of other)\"]" \
	axfr+tls://primary.example@127.0.0.1:8853
pinned() { list .fetch_error | grep -q "TLS handshake failed: .*pin"; }
check "is refused" eventually pinned
same "nothing came of it" NOERROR "$(status_of wrong.test)"
check "with its own key" settings ", tsig: weir-key, ca_file: $tmp/ca.pem, pin: [\"$(pin_of server)\"]" \
	axfr+tls://primary.example@127.0.0.1:8853
check "it comes" eventually is wrong.test NXDOMAIN
nsd_stop

knot() { # knot LOAD: Knot DNS, which takes the file of the zone as LOAD says
	cat >$tmp/knot.conf <<-END
		server:
		  listen: 127.0.0.1@5454
		  rundir: $tmp/knot
		database:
		  storage: $tmp/knot
		key:
		  - id: weir-key
		    algorithm: hmac-sha256
		    secret: "$secret"
		acl:
		  - id: weir
		    address: 127.0.0.1
		    key: weir-key
		    action: transfer
		zone:
		  - domain: rpz.test
		    file: $tmp/rpz.zone
		    zonefile-load: $1
		    acl: weir
	END
	knotd -c $tmp/knot.conf &
	knot=$!
	eventually knot_has 1
}
knot_has() { [ "$(kdig +short +timeout=1 +retry=0 @127.0.0.1 -p 5454 rpz.test SOA | wc -l)" = "$1" ]; }
knot_reload() { knotc -b -s $tmp/knot/knot.sock -c $tmp/knot.conf zone-reload rpz.test; }
logged() { grep -q "lists: ixfr://127.0.0.1:5454/rpz.test: $1" /run/weir/lab/controlplane.log; }
mkdir $tmp/knot
zone 10 "ten.test CNAME .
$(cat $tmp/many)"
check "Knot" knot difference
check "a list by differences" settings ", tsig: weir-key" ixfr://127.0.0.1:5454
check "is there" eventually is ten.test NXDOMAIN
check "to its last record" eventually is host7999.many.test NXDOMAIN
zone 11 "eleven.test CNAME .
$(cat $tmp/many)"
check "a new serial" knot_reload
check "is fetched" weirctl blocklist reload
check "by what changed" eventually logged "[0-9]* bytes, by 4 changed lines"
check "what is new is there" eventually is eleven.test NXDOMAIN
check "what left is not" eventually is ten.test NOERROR
same "what stayed is" NXDOMAIN "$(status_of host7999.many.test)"
for i in 12 13; do
	zone $i "name$i.test CNAME .
$(cat $tmp/many)"
	knot_reload >/dev/null
done
check "two serials later" weirctl blocklist reload
check "the same in a row" eventually logged "[0-9]* bytes, by 8 changed lines"
check "the last is there" eventually is name13.test NXDOMAIN
same "the one between is not" NOERROR "$(status_of name12.test)"
check "the same serial" weirctl blocklist reload
kill $knot
wait $knot 2>/dev/null
rm -r $tmp/knot
mkdir $tmp/knot
zone 14 "fourteen.test CNAME ."
check "Knot that knows no history" knot whole
check "the next reload" weirctl blocklist reload
check "has the whole zone" eventually is fourteen.test NXDOMAIN
same "nothing of before" NOERROR "$(status_of host7999.many.test)"
kill $knot
same "no list fails" 0 "$(weirctl --json blocklist status | jq '.failing | length')"
finish
