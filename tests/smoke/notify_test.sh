#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# NOTIFY from NSD, signed and not, by kernel sockets and through the port: the list has the new zone at once. From others:
# refused.
. "$(dirname "$0")/_init.sh"
. "$smoke_dir/rig/servers.sh"

zone() { # zone SERIAL RECORD
	printf '%s\n' '$ORIGIN rpz.test.' '$TTL 60' "@ SOA ns.rpz.test. admin.rpz.test. $1 3600 600 86400 60" \
		'@ NS ns.rpz.test.' "$2" >$tmp/rpz.zone
}
at=$service where=() # NSD: its address, and in whose namespace it runs
nsd_start() { # nsd_start KEY
	{
		nsd_conf $tmp $at@5353
		printf 'key:\n  name: weir-key\n  algorithm: hmac-sha256\n  secret: "%s"\n' "$secret"
		nsd_zone rpz.test rpz.zone "notify: $service $1" "outgoing-interface: $at" "provide-xfr: 0.0.0.0/0 $1"
	} >$tmp/nsd.conf
	"${where[@]}" nsd -d -c $tmp/nsd.conf &
	nsd=$!
	eventually nsd_answers
}
nsd_answers() { "${where[@]}" kdig +short +timeout=1 +retry=0 @$at -p 5353 rpz.test SOA | grep -q admin; }
nsd_stop() { kill $nsd; wait $nsd 2>/dev/null; }
is() { [ "$(rcode @$service "$1" A)" = "$2" ]; }
count() { weirctl --json blocklist status | jq ".notify.$1"; }
at_least() { [ "$(count "$1")" -ge "$2" ]; }
# One of the server before, which says it again until it is answered, may have made the list due already: then the next one is `soon`.
accepted() { echo $(($(count taken) + $(count soon))); }
accepts() { [ "$(accepted)" -gt "$1" ]; } # more than N
settings() { # settings MORE: the lab's configuration with the zone as a list
	awk -v more="$1" -v url="axfr://$at:5353/rpz.test" '
		{ print }
		/^blocking:/ {
			print "  update: {allow_private: true, timeout: 20, interval: 0}"
			print "  tsig_keys: [{name: weir-key, secret_file: '$tmp'/secret}]"
		}
		/^  lists:/ { print "    - {url: " url more "}" }
' $tmp/plain.yaml >$config
	echo "fallback: {udp: ${fallback-on}}" >>$config
}
ask() { # ask WAY ZONE: a NOTIFY from the client; its response code
	client $python - "$service" "$1" "$2" <<-'END'
		import sys
		import dns.message, dns.opcode, dns.query, dns.rcode
		q = dns.message.make_query(sys.argv[3], "SOA")
		q.set_opcode(dns.opcode.NOTIFY)
		way = dns.query.tcp if sys.argv[2] == "tcp" else dns.query.udp
		print(dns.rcode.to_text(way(q, sys.argv[1], timeout=5).rcode()))
	END
}
secret=$(head -c 32 /dev/urandom | base64 -w 0)
echo "$secret" >$tmp/secret

lab_up
cp $config $tmp/plain.yaml
zone 1 "one.test CNAME ."
check "NSD" nsd_start NOKEY
settings ""
check "restart" "$lab" stop controlplane
check "with kernel sockets" "$lab" start controlplane
check "a list" eventually is one.test NXDOMAIN
same "from another address, over TCP" REFUSED "$(ask tcp rpz.test)"
same "of another zone" NOTAUTH "$(ask tcp other.test)"
same "through the port" REFUSED "$(ask udp rpz.test)"
same "of another zone" NOTAUTH "$(ask udp other.test)"
same "counted" 2 "$(count not_server)"
same "by name" 2 "$(count not_zone)"
same "by the worker" 2 "$(dp verdict notify)"

zone 2 "two.test CNAME ."
nsd_stop
was=$(accepted)
check "a new zone" nsd_start NOKEY
check "NOTIFY" eventually accepts $was
ahead 10 # weir fetches a list at most so often
check "it is there, without a reload" eventually is two.test NXDOMAIN
check "as the status says" grep -q 'NOTIFY .* taken' <(weirctl blocklist status)

nsd_stop
settings ", tsig: weir-key"
check "a key" taken_over weirctl config reload
zone 3 "three.test CNAME ."
was=$(count not_signed)
check "NSD without it" nsd_start NOKEY
check "is refused" eventually at_least not_signed $((was + 1))
nsd_stop
zone 4 "four.test CNAME ."
: >"$tmp/nsd.$at@5353.log"
check "NSD with it" nsd_start weir-key
ahead 10
check "has the zone" eventually is four.test NXDOMAIN
check "and NSD accepts the reply" test -z "$(grep -i 'notify.*\(error\|bad\|fail\)' "$tmp/nsd.$at@5353.log")"
nsd_stop

# NSD on the client's side: its messages come to a worker.
at=198.18.0.2 where=("$lab" exec) fallback=off
settings ", tsig: weir-key"
zone 5 "five.test CNAME ."
check "NSD at a client" nsd_start weir-key
check "a list from it" taken_over weirctl config reload
check "restart" "$lab" stop controlplane
check "without kernel sockets" "$lab" start controlplane
check "the list is there" eventually eval 'is five.test NXDOMAIN || { weirctl blocklist reload; false; }'
nsd_stop
was=$(accepted)
zone 6 "six.test CNAME ."
: >"$tmp/nsd.$at@5353.log"
check "a new zone" nsd_start weir-key
check "NOTIFY through the port" eventually accepts $was
check "brings it" eventually is six.test NXDOMAIN
check "and NSD accepts the reply" test -z "$(grep -i 'notify.*\(error\|bad\|fail\)' "$tmp/nsd.$at@5353.log")"
nsd_stop
same "without the key" NOTAUTH "$(ask udp rpz.test)"
finish
