#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A rollover of the root's key by RFC 5011: unbound-anchor follows it through weir, and weir trusts the keys that are
# valid by then: not one that waits for its hold-down time, the new one behind it, and not the old one once it is revoked.
. "$(dirname "$0")/_init.sh"
. "$smoke_dir/rig/servers.sh"

zones=$tmp/zones
mkdir $zones && cd $zones || exit 1
key_make() { ldns-keygen -a ECDSAP256SHA256 "$@" .; }
old=$(key_make -k) new=$(key_make -k) zsk=$(key_make)
cat >root <<-'END'
	$ORIGIN .
	$TTL 300
	@ SOA ns1.host. mail.host. 1 3600 600 86400 300
	@ NS ns1.host.
	ns1.host A 127.0.0.1
	www.alpha A 192.0.2.1
END
answers() { kdig +short +timeout=1 +retry=0 @127.0.0.1 -p 5303 www.alpha A | grep -q 192.0.2.1; }
nsd=
served() { # served KEY...: the root, signed with these and the zone's own
	ldns-signzone -A -f root.signed -o . root "$@" $zsk || return
	[ -z "$nsd" ] || { kill $nsd; wait $nsd 2>/dev/null; }
	nsd -d -c nsd.conf 2>>nsd.log &
	nsd=$!
	eventually answers
}
{ nsd_conf "$zones" 127.0.0.1@5303 && nsd_zone . root.signed; } >nsd.conf
lab_up
cp $config $tmp/plain.yaml
cp $old.key $tmp/root.key
echo "nameserver $service" >$tmp/resolv.conf
printf 'server:\n permit-small-holddown: yes\n add-holddown: 3\n' >$tmp/anchor.conf
turn=0
# taken: weir reads the file; another negative anchor makes it forget what it has proven by earlier keys
taken() {
	turn=$((turn + 1))
	{
		sed '/^upstreams:/,/^[^ ]/{/^upstreams:/d;/^ /d}' $tmp/plain.yaml
		echo "upstreams: {servers: [{address: 127.0.0.1:5303}]}"
		echo "dnssec: {validate: true, anchors: $tmp/root.key, negative_anchors: [turn$turn.test]}"
	} >$config
	taken_over weirctl config reload
}
probe() { client unbound-anchor -a $tmp/root.key -f $tmp/resolv.conf -C $tmp/anchor.conf -u 127.0.0.1; }
states() { sed -n 's/.*;;state=\([0-9]\).*/\1/p' $tmp/root.key | sort | tr -d '\n'; }
is_secure() { client kdig +adflag +timeout=8 +retry=1 @$service www.alpha A | grep -q 'Flags:.* ad'; }
is_bogus() { [ "$(client kdig +timeout=8 +retry=1 @$service www.alpha A | rcode_of)" = SERVFAIL ]; }

check "the zone" served $old
check "weir, with the key as a record" taken
check "validates" is_secure
check "a probe through weir" probe
same "the key is valid" 2 "$(states)"
check "the file that unbound-anchor keeps" taken
check "works as well" is_secure

check "a new key" served $old $new
check "reload" taken
check "a probe" probe
same "the new key waits for its hold-down time" 12 "$(states)"
check "the zone by the new key alone" served $new
check "reload" taken
check "is bogus: weir does not trust it yet" is_bogus
check "by both" served $old $new
check "reload" taken
check "is secure" is_secure
valid() { sleep 1; probe; [ "$(states)" = 22 ]; }
check "behind the hold-down time both are valid" eventually valid
check "by the new key alone" served $new
check "reload" taken
check "it is trusted" is_secure

ldns-revoke $old.key >/dev/null
check "the old key is revoked" served "$(basename "$(ls -t K*.key | head -1)" .key)" $new
check "reload" taken
check "a probe" probe
same "the file says so" 24 "$(states)"
check "reload" taken
check "the new key is trusted" is_secure
check "the old one again" served $old
check "reload" taken
check "is not" is_bogus

cache() { weirctl --json stats --interval 0 | jq .controlplane.l0.entries; }
check "the zone as it should be" served $new
check "reload" taken
check "an answer" is_secure
check "a probe" probe
cached=$(cache)
check "is cached" test "$cached" -ge 1
check "a reload after the probe" taken_over weirctl config reload
same "keeps the cache: the keys are the same" "$cached" "$(cache)"
kill $nsd
finish
