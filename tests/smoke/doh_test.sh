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
check "curl finds a host by it" eval "client curl -sv --max-time 20 --cacert $tmp/cert.pem --resolve doh.test:443:$service \
	--doh-url $url --doh-insecure --connect-timeout 20 http://$name:9/ 2>&1 | grep -q 198.18.200.1"

# Discovery (RFC 9462): no records without a name; then the same ones by each transport.
secure="+tls-ca=$tmp/cert.pem +tls-hostname=doh.test"
# As kdig 3.2 writes them; newer ones quote alpn, and know key7 by name.
svcb() { client kdig +short +timeout=10 +retry=0 "$@" @$service _dns.resolver.arpa SVCB | sed -E 's/alpn="([^"]*)"/alpn=\1/; s/dohpath=/key7=/'; }
same "no name, no discovery" "" "$(svcb)"
sed -i "s|^tls:|&\n  name: doh.test|" "$(readlink -f $config)"
check "a name" taken_over weirctl config reload
hints="ipv4hint=$service ipv6hint=$service6"
h2="doh.test. alpn=h2,http/1.1 $hints key7=\"/dns-query{?dns}\"" # dohpath
for way in +notcp +tcp "+https $secure"; do
	same "discovery, ${way%% *}" "1 $h2" "$(svcb $way)"
done
same "the name itself" "$service $service6" "$(short doh.test A) $(short doh.test AAAA)"
check "weirctl why says so" grep -q 'special-use name doh.test (tls.name)' <(weirctl why doh.test)
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

# Groups by certificate, before any name that the client uses; live.
. "$smoke_dir/certificates.sh"
dir=$tmp
check "clients' certificates" eval 'authority clients && authority stranger && certificate kid clients DNS:kid &&
	certificate unknown stranger DNS:kid && expired_certificate late clients kid'
sed -i "s|^groups: \[|&{name: guests, client_names: [guest]}, |
	s|^tls:|&\n  client_ca: $tmp/clients.pem|" "$(readlink -f $config)"
check "authorities for clients" taken_over weirctl config reload
shows() { named "+tls-certfile=$tmp/$1.pem" "+tls-keyfile=$tmp/$1.key" "${@:2}"; }
tls() { weirctl --json tcp | jq -r ".tls.$1"; }
same "the group over TLS" NXDOMAIN "$(shows kid -p 8853 +tls +tls-hostname=doh.test)"
same "before the server's name" NXDOMAIN "$(shows kid -p 8853 +tls +tls-hostname=guest.doh.test)"
same "none shown" NOERROR "$(named -p 8853 +tls +tls-hostname=doh.test)"
same "another authority's, which kdig does not show" NOERROR "$(shows unknown -p 8853 +tls +tls-hostname=doh.test)"
check "curl does" eval '! https --cert $tmp/unknown.pem --key $tmp/unknown.key -o /dev/null "$get"'
same "an expired one: no answer" "" "$(shows late -p 8853 +tls +tls-hostname=doh.test)"
rcode() { https "$@" -o $tmp/reply && od -An -tx1 -j3 -N1 $tmp/reply | tr -d ' '; } # the byte that has it
same "over HTTPS, before the path" 83 "$(rcode --cert $tmp/kid.pem --key $tmp/kid.key "${get/dns-query/dns-query/guest}")"
same "without one the path" 80 "$(rcode "${get/dns-query/dns-query/guest}")"
counted() { [ "$(tls "$1")" -ge "$2" ]; }
check "counted" counted certified 3
check "the bad ones too" counted failed.certificate 2
s_client() { client timeout 10 openssl s_client -connect $service:8853 "$@" 2>&1; }
kept() { s_client -sess_in $tmp/session </dev/null | grep -q '^Reused'; } # and shows none
s_client -cert $tmp/kid.pem -key $tmp/kid.key -sess_out $tmp/session -ign_eof </dev/null >/dev/null & session=$!
eventually test -s $tmp/session
kill $session 2>/dev/null
certified=$(tls certified)
check "a session is resumed" kept
check "with the certificate in it" eventually counted certified $((certified + 1))
cp $tmp/stranger.pem $tmp/clients.pem
others() { [ "$(shows unknown -p 8853 +tls +tls-hostname=doh.test)" = NXDOMAIN ]; }
ahead 5
check "other authorities are seen without a reload" eventually others
same "the former ones do not count" NOERROR "$(shows kid -p 8853 +tls +tls-hostname=doh.test)"
check "nor do sessions of their time" eval '! kept'
sed -i "s|^  client_ca: .*|&\n  client_required: true|" "$(readlink -f $config)"
check "required" taken_over weirctl config reload
refused=$(tls failed.certificate)
same "with one" NXDOMAIN "$(shows unknown -p 8853 +tls +tls-hostname=doh.test)"
check "none: an alert" eval 's_client -ign_eof </dev/null | grep -q "alert certificate required"'
check "counted" counted failed.no_certificate 1
check "another authority's: an alert" eval 's_client -cert $tmp/kid.pem -key $tmp/kid.key -ign_eof </dev/null | grep -qi "alert unknown ca"'
check "counted as that" counted failed.certificate $((refused + 1))
check "and over HTTPS" eval '! https -o /dev/null "$get"'
check "weirctl tcp says so" eval 'weirctl tcp | grep -q "the client shows no certificate"'
echo rubbish >$tmp/clients.pem
check "config check reads the file" eval 'weirctl config check 2>&1 | grep -q "tls.client_ca: $tmp/clients.pem"'
ahead 5
check "a bad one changes nothing" eventually eval 'weirctl tcp | grep -q "certificates NOT replaced: $tmp/clients.pem"'
same "as one sees" NXDOMAIN "$(shows unknown -p 8853 +tls +tls-hostname=doh.test)"
sed -i '/^  client_/d' "$(readlink -f $config)"
check "not asked for any more" taken_over weirctl config reload
same "no group by it" NOERROR "$(shows unknown -p 8853 +tls +tls-hostname=doh.test)"

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
metric() { curl -s --unix-socket /run/weir/control/control.sock http://weir/metrics | grep -q "^$1 [1-9]"; }
check "metrics" metric 'weir_doh_requests_total{version="http2",method="post"}'
check "its transport is counted" metric 'weir_frontend_queries_total{transport="doh",.*}'
finish
