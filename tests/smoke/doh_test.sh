#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DNS over HTTPS for clients: kdig, curl and curl as a resolver of its own, both versions of HTTP, statuses, and clients
# that mean ill: bounded, others answered, memory back.
. "$(dirname "$0")/_init.sh"

lab_up
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=doh.test \
	-addext "subjectAltName=DNS:doh.test,DNS:*.doh.test,IP:$service" -keyout $tmp/key.pem -out $tmp/cert.pem 2>/dev/null
chmod 644 $tmp/key.pem
cat >>"$(readlink -f $config)" <<END
tls:
  certificates:
    - {cert: $tmp/cert.pem, key: $tmp/key.pem}
doh:
  enabled: true
END
sed -i 's/^tcp:/&\n  idle_timeout: 600/' "$(readlink -f $config)" # on a busy machine a client may be slow to read
check "turned on by a reload" weirctl config reload
check "it listens" eventually eval 'weirctl tcp | grep -q "listens on $service:443 (doh)"'

name=ok-3000.cached.test
url=https://doh.test/dns-query
https() { client curl -sS --max-time 20 --cacert $tmp/cert.pem --resolve doh.test:443:$service "$@"; }
status() { https -o /dev/null -w '%{http_code}' "$@"; }
doh() { weirctl --json tcp | jq -r ".doh.$1"; }
$python -c "
import sys; sys.path.insert(0, '$smoke_dir/rig')
from wire import query
open('$tmp/query', 'wb').write(query('$name'))
open('$tmp/big', 'wb').write(bytes(70000))"
get="$url?dns=$(base64 -w0 <$tmp/query | tr '+/' '-_' | tr -d =)"
address() { tail -c 4 $tmp/reply | od -An -tx1 | sed 's/^ //'; } # at the end of the reply
post() { "$1" --data-binary @"$2" -H "content-type: ${3-application/dns-message}" "${@:4}"; }

kdig() { client kdig +short +timeout=10 +retry=0 +tls-ca=$tmp/cert.pem +tls-hostname=doh.test "$@"; }
same "kdig, POST" 198.18.200.1 "$(kdig @$service +https $name A)"
same "kdig, GET" 198.18.200.1 "$(kdig @$service +https-get +https $name A)"
same "kdig, over IPv6" 198.18.200.1 "$(kdig @$service6 +https $name A)"
same "one that is not cached" 198.18.200.1 "$(kdig @$service +https ok.fresh.test A)"
same "a large one" 60 "$(kdig @$service +https huge.test TXT | wc -l)"
same "a blocked one" NXDOMAIN "$(client kdig +timeout=10 +tls-ca=$tmp/cert.pem +tls-hostname=doh.test @$service +https blocked.test A | rcode_of)"
check "replies are padded for a client that pads" grep -q '; PADDING' \
	<(client kdig +timeout=10 +tls-ca=$tmp/cert.pem +tls-hostname=doh.test +https +padding @$service $name A)
for version in --http2 --http1.1; do
	same "curl $version, GET" "200 application/dns-message" "$(https $version -o $tmp/reply -w '%{http_code} %{content_type}' "$get")"
	same "its answer" "c6 12 c8 01" "$(address)"
	same "curl $version, POST" "200 ${version#--http}" "$(post https $tmp/query application/dns-message $version -o $tmp/reply -w '%{http_code} %{http_version}' $url)"
	same "its answer" "c6 12 c8 01" "$(address)"
	same "curl $version, another path" 404 "$(status $version "${get/dns-query/other}")"
	same "curl $version, another type" 415 "$(post status $tmp/query text/plain $version $url)"
	same "curl $version, too large" 413 "$(post status $tmp/big application/dns-message $version $url)"
	same "curl $version, padded base64" 400 "$(status $version "$get==")"
	same "curl $version, HEAD" 405 "$(status $version -I "$get")"
done
age=$(https -D - -o /dev/null "$get" | tr -d '\r' | sed -n 's/^cache-control: max-age=//p')
check "a cache may keep it as long as its record: $age s" test "${age:-0}" -ge 1 -a "${age:-0}" -le 3000
check "curl finds a host by it" eval "client curl -sv --max-time 5 --cacert $tmp/cert.pem --resolve doh.test:443:$service \
	--doh-url $url --doh-insecure --connect-timeout 1 http://$name:9/ 2>&1 | grep -q 198.18.200.1"

# Discovery (RFC 9462): no records without a name; then the same ones by each transport.
secure="+tls-ca=$tmp/cert.pem +tls-hostname=doh.test"
svcb() { client kdig +short +timeout=10 +retry=0 "$@" @$service _dns.resolver.arpa SVCB; }
same "no name, no discovery" "" "$(svcb)"
sed -i "s|^tls:|&\n  name: doh.test|" "$(readlink -f $config)"
check "a name" taken_over weirctl config reload
hints="ipv4hint=$service ipv6hint=$service6"
h2="doh.test. alpn=h2,http/1.1 $hints key7=\"/dns-query{?dns}\"" # dohpath
for way in +notcp +tcp "+https $secure"; do
	same "discovery, ${way%% *}" "1 $h2" "$(svcb $way)"
done
same "another type" "" "$(short _dns.resolver.arpa A)"
printf 'dot: {enabled: true, port: 8853}\n' >>"$(readlink -f $config)"
sed -i 's|service_addresses: \[|&192.0.2.99, |' "$(readlink -f $config)" # served from the next start on
check "and DNS over TLS on another port" taken_over weirctl config reload
same "both" "$(printf '1 doh.test. alpn=dot port=8853 %s\n2 %s' "$hints" "$h2")" "$(svcb | sort)"
same "over TLS" "$(svcb | sort)" "$(svcb +tls $secure -p 8853 | sort)"
check "weirctl why" grep -q 'special-use name _dns.resolver.arpa (RFC 9462)' <(weirctl why _dns.resolver.arpa)

# Groups by name: a label of the server, the end of the path.
printf 'groups: [{name: kids, client_names: [kid], deny: [%s]}]\n' $name >>"$(readlink -f $config)"
check "a group by name" taken_over weirctl config reload
named() { client kdig +timeout=10 +retry=0 +tls-ca=$tmp/cert.pem "$@" @$service $name A | rcode_of; }
same "everyone over TLS" NOERROR "$(named -p 8853 +tls +tls-hostname=doh.test)"
same "the group over TLS" NXDOMAIN "$(named -p 8853 +tls +tls-hostname=kid.doh.test)"
same "a name that no group has" NOERROR "$(named -p 8853 +tls +tls-hostname=nobody.doh.test)"
same "the group over HTTPS" NXDOMAIN "$(named +https=/dns-query/kid +tls-hostname=doh.test)"
same "by its server name" NXDOMAIN "$(named +https=/dns-query +tls-hostname=kid.doh.test)"
same "everyone over HTTPS" NOERROR "$(named +https=/dns-query +tls-hostname=doh.test)"
same "a path that no group has" 404 "$(status "${get/dns-query/dns-query/nobody}")"
same "over UDP nothing changes" 198.18.200.1 "$(short $name A)"
same "weirctl groups" kid "$(weirctl --json groups | jq -r '.groups[] | select(.name == "kids").client_names[0]')"

load() { client timeout 120 $python "$smoke_dir/rig/doh_load.py" "$@"; }
check "a hundred at once, out of order" load many
check "requests in a row by HTTP/1.1" load http1
check "rapid resets: calmed" load reset
check "counted" test "$(doh goaways)" -ge 1
check "a header without end" load continuation
check "pings" load ping
check "answers that are not read" load unread
check "requests without end" load slow
none_left() { [ "$(weirctl --json tcp | jq -r '"\(.open) \(.pending) \(.buffered) \(.doh.connections) \(.doh.bytes)"')" = "0 0 0 0 0" ]; }
check "nothing is left of them" eventually none_left
same "UDP answers" 198.18.200.1 "$(short $name A)"
check "weirctl tcp" grep -q '413, over 65,535 bytes' <(weirctl tcp)
metric() { curl -s --unix-socket /run/weir/control.sock http://weir/metrics | grep -q "^$1 [1-9]"; }
check "metrics" metric 'weir_doh_requests_total{version="http2",method="post"}'
check "its transport is counted" metric 'weir_frontend_queries_total{transport="doh",.*}'
"$lab" down >/dev/null
finish
