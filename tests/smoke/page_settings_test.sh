#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Settings of the page in headless Chromium: upstream servers added, tested and removed, and values set and taken back, each seen
# by a query or by weirctl; what a user of role read does not get.
. "$(dirname "$0")/_init.sh"

. "$smoke_dir/page_lab.sh"
browser_or_skip
lab_up
page_configure 'page: true'
certificate dns ca 'DNS:*.dns.example,DNS:dns.example' 2>/dev/null
cat >>$config <<CONFIG
tls: {certificates: [{cert: $dir/dns.pem, key: $dir/dns.key}]}
dot: {enabled: true}
doh: {enabled: true}
CONFIG
"$lab" stop controlplane >/dev/null
check "restarted" "$lab" start controlplane
page_user >/dev/null
upstream 5302 $tmp/up2.log

settings="do:(window.confirm = () => true, location.hash = '#/settings', true)"
# sets LABEL VALUE WORDS: and what the page says then
sets() { browse login "$settings" "do:$(put "$1" "$2")" "do:$(send "$1")" "do:$(said "$1: $3.")" "do:document.querySelector('main').textContent.includes('as the file says')"; }
back() { browse login "$settings" "do:$(press "$1 as the file says")" "do:$(said 'counts again')"; }
gets() { [ "$(short "$1" A)" = "$2" ]; }

check "a blocked name gets 0.0.0.0" sets 'A blocked name gets' null '0.0.0.0 and ::'
check "as a query shows" eventually gets blocked.test 0.0.0.0
check "and then an own address" browse login "$settings" "do:$(put 'A blocked name gets' address)" "do:$(put 'IPv4 address' 192.0.2.9)" "do:$(send 'IPv4 address')" "do:$(said 'addresses of your own')"
check "as a query shows" eventually gets blocked.test 192.0.2.9
check "and one for IPv6" browse login "$settings" "do:$(put 'IPv6 address' 2001:db8::9)" "do:$(send 'IPv4 address')" "do:$(said 'addresses of your own')"
check "an address is needed: without any nothing changes" browse login "$settings" "do:$(put 'IPv4 address' '')" "do:$(put 'IPv6 address' '')" "do:$(send 'IPv4 address')" "do:$(said 'Give an address.')"
same "both stay" "192.0.2.9 2001:db8::9" "$(weirctl --json config overrides | jq -r '[.overrides[] | select(.path | test("blocking.ipv")) | .value | fromjson] | join(" ")')"
check "one of them goes" browse login "$settings" "do:$(put 'IPv6 address' '')" "do:$(send 'IPv4 address')" "do:$(said 'addresses of your own')"
same "by the same change" "192.0.2.9" "$(weirctl --json config overrides | jq -r '[.overrides[] | select(.path | test("blocking.ipv")) | .value | fromjson] | join(" ")')"
check "taken back" eval 'back mode && back ipv4'
check "NXDOMAIN again" eventually blocks blocked.test
check "Apple devices do without Private Relay" sets 'iCloud Private Relay' true 'Apple devices shall do without'
check "as a query shows" eventually blocks mask.icloud.com
check "taken back" back relay_canary
check "as each device wishes" is local.relay_canary false
check "validation" sets 'Validate answers' true yes
check "is on" is dnssec.validate true
check "taken back" back validate
check "is off" is dnssec.validate false
check "answers are kept longer" sets 'Keep answers at least, in seconds' 4000 4000
ttl() { client kdig +noall +answer @$service "$1" A | awk '{ print $2 }'; }
check "as their TTL shows" eventually eval '[ "$(ttl ok-5.kept$SRANDOM.test)" -gt 3000 ]'
check "taken back" back min_ttl
check "the query log hides the clients" sets 'The log has' truncate 'networks of clients'
logged() { short ok.hidden.test A >/dev/null && weirctl --json log search --name ok.hidden.test | jq -e 'any(.rows[]; .client | startswith("198.18.0.0"))'; }
check "as a search shows" eventually logged
check "taken back" back anonymize
check "queries are kept for 14 days, after a restart" browse login "$settings" "do:$(put 'Keep queries, in days' 14)" "do:$(send 'Keep queries, in days')" "do:$(said 'need a restart: query_log.store.hours')" \
	"do:document.querySelector('[aria-label=\"Query log\"]').textContent.includes('after a restart of weir-controlplane')"
check "which are 336 hours" is query_log.store.hours 336
check "taken back" back hours
check "no text stays changed" eval '! weirctl --json config overrides | jq -e ".overrides[]"'

# choose BUTTON: of those that choose servers
choose() { echo "(() => { const b = [...document.querySelectorAll('[aria-label=\"Choose servers\"] button')].find((e) => e.textContent === '$1'); b?.click(); return !!b; })()"; }
# own OVER ADDRESS: a server of one's own
own() { printf '%s\n' "do:$(put Resolver own)" "do:$(put Over "$1")" "do:$(put 'Its address' "$2")"; }
mapfile -t second < <(own '' 127.0.0.1:5302)
asks() { short ok.moved$SRANDOM.test A >/dev/null && up_log "$1" | grep -q 'ok\.moved'; }
check "add a server and test it" browse login "$settings" "${second[@]}" "do:$(choose Add)" "do:$(said '127.0.0.1:5302 is added. 127.0.0.1:5302: UDP: NOERROR in ')" \
	"do:$(press Test 127.0.0.1:5301)" "do:$(said '127.0.0.1:5301: UDP: ')"
check "remove that of the file" browse login "$settings" "do:$(press Remove 127.0.0.1:5301)" "do:$(said '127.0.0.1:5301 is removed')" \
	"do:$(press 'Test' 127.0.0.1:5302)" "do:![...document.querySelectorAll('main td')].some((t) => t.textContent.includes(':5301'))"
check "the new one is asked" asks $tmp/up2.log
check "all back" browse login "$settings" "do:$(press '127.0.0.1:5301 as the file says')" "do:$(said 'counts again')" "do:$(press Remove 127.0.0.1:5302)" "do:$(said '127.0.0.1:5302 is removed')"
check "the old one is asked" asks $tmp/up.log
check "a test of a server that weir does not ask, and then that one alone" browse login "$settings" "${second[@]}" "do:$(choose Test)" "do:$(said '127.0.0.1:5302: UDP: NOERROR in ')" \
	"do:![...document.querySelectorAll('main td')].some((t) => t.textContent.includes(':5302'))" "do:$(choose 'Use only these')" "do:$(said 'weir asks only 127.0.0.1:5302.')"
same "weir asks it alone" 127.0.0.1:5302 "$(weirctl --json upstreams | jq -r '.upstreams[].address')"
check "back" browse login "$settings" "do:$(press 'servers as the file says')" "do:$(said 'counts again')"
same "weir asks that of the file" 127.0.0.1:5301 "$(weirctl --json upstreams | jq -r '.upstreams[].address')"
$python "$smoke_dir/rig/dot_upstream.py" 127.0.0.1 8853 $dir/dns.pem $dir/dns.key $tmp/dot.log < <(sleep 1000) &
check "the authority of the server over TLS" taken_over weirctl config set upstreams.ca_file $dir/ca.pem
mapfile -t tls < <(own tls 127.0.0.1:8853)
check "a wrong name is said before anything is changed" browse login "$settings" "${tls[@]}" "do:$(put 'Name in its certificate' else.example)" "do:$(choose Test)" "do:$(said 'TLS: no reply (the certificate is for another name)')"
check "to TLS, with a test" browse login "$settings" "${tls[@]}" "do:$(put 'Name in its certificate' a.dns.example)" "do:$(choose Test)" "do:$(said 'TLS: NOERROR in ')" \
	"do:$(choose 'Use only these')" "do:$(said 'weir asks only tls://a.dns.example@127.0.0.1:8853.')"
gets() { [ "$(short "$1" A)" = "$2" ]; }
check "as a query shows" eventually gets ok.encrypted.test 192.0.2.81
check "back to the file" browse login "$settings" "do:$(press 'servers as the file says')" "do:$(said 'counts again')"
check "a zone with a server of its own" browse login "$settings" "${second[@]}" "do:$(put For zone)" "do:$(put Zone corp.test)" "do:$(choose 'Use only these')" "do:$(said 'zone corp.test: weir asks only 127.0.0.1:5302.')"
short ok.in.corp.test A >/dev/null
check "weir asks it" grep -q 'ok\.in\.corp' <(up_log $tmp/up2.log)
weirctl group create kids 198.18.0.99 >/dev/null
check "a group with a server of its own" browse login "$settings" "${second[@]}" "do:$(put For 'group kids')" "do:$(choose 'Use only these')" "do:$(said 'group kids: weir asks only 127.0.0.1:5302.')" \
	"do:[...document.querySelectorAll('[aria-label=\"Upstream servers of groups and zones\"] tbody tr')].length === 2"
same "as weirctl has it" 'everyone, zone corp.test, group kids' "$(weirctl --json upstreams | jq -r '[.upstreams[].set] | unique_by(.) | sort_by(. != "everyone", . != "zone corp.test") | join(", ")')"
check "neither has any more" browse login "$settings" "do:$(press 'Remove all' 'zone corp.test')" "do:$(said 'zone corp.test has no servers')" "do:$(press 'Remove all' 'group kids')" "do:$(said 'group kids has no servers')"
same "everyone alone" everyone "$(weirctl --json upstreams | jq -r '.upstreams[].set')"
check "a public resolver by its name, which nothing answers for here" browse login "$settings" "do:$(choose Test)" "do:$(said 'tls://dns.quad9.net@149.112.112.112: TLS: no')" "do:$(choose Add)" "do:$(said 'quad9 over TLS is added.')"
check "has the servers of weirctl" eval 'weirctl --json upstreams | jq -e "[.upstreams[] | select(.via == \"tls\") | .name] | sort == [\"149.112.112.112:853\", \"9.9.9.9:853\"]"'
check "remove one" browse login "$settings" "do:$(press Remove 149.112.112.112)" "do:$(said 'is removed')"
mapfile -t https < <(own https 2001:db8::1)
check "a server over HTTPS" browse login "$settings" "${https[@]}" "do:$(put 'Name in its certificate' dns.example)" "do:$(choose Add)" \
	"do:$(said 'https://dns.example@[2001:db8::1]/dns-query is added.')"
left=$((($(date +%s -d "$(openssl x509 -in $dir/server.pem -noout -enddate | cut -d= -f2)") - $(date +%s) + 1800) / 3600))
check "the certificate ends in $left h" browse login "$settings" "do:[...document.querySelectorAll('[aria-label=\"Certificate of this page\"] tbody tr')].map((r) => r.lastChild.textContent).join() === '$left h'"
echo 'a long password' | weirctl password set rob --role read >/dev/null
who=rob check "who only looks sees the values" browse login "$settings" "do:[...document.querySelectorAll('main .facts')].some((f) => f.textContent.includes('NXDOMAIN')) && !document.querySelector('main :is(button, input):not(thead *)')"
echo 'a long password' | weirctl password set oda --role operate >/dev/null
who=oda check "one who operates tests a server" browse login "$settings" "do:$(press Test 127.0.0.1:5301)" "do:$(said '127.0.0.1:5301: UDP: NOERROR')" "do:!$(press Remove)"
devices="do:location.hash = '#/devices', true"
there="do:document.querySelector('main .facts')?.textContent.includes('$service')"
check "devices: addresses, steps and the name" browse login "$devices" "$there" "do:document.querySelectorAll('main details ol').length > 8 && document.querySelector('main').textContent.includes('https://dns.example/dns-query')" \
	"do:$(press 'Copy name')" "do:$(said Copied.)"
mkdir $tmp/profiles
profile() { $python -c 'import plistlib, sys; p = plistlib.load(open(sys.argv[1], "rb")); d = p["PayloadContent"][0]; assert p["PayloadType"] == "Configuration" and d["PayloadType"] == "com.apple.dnsSettings.managed" and len({p["PayloadUUID"], d["PayloadUUID"]}) == 2
print(*sorted(f"{k}={v}" for k, v in d["DNSSettings"].items()))' "$tmp/profiles/$1"; }
check "profiles of Apple" browse login "downloads:$tmp/profiles" "$devices" "$there" "do:$(press 'Profile with TLS')" "do:$(said 'The profile is saved.')" "do:new Promise((r) => setTimeout(() => r(true), 1000))" \
	"do:$(put 'Path of DNS over HTTPS, doh.path' '/a&b')" "do:$(press 'Profile with HTTPS')" "do:new Promise((r) => setTimeout(() => r(true), 1000))"
same "over TLS" "DNSProtocol=TLS ServerAddresses=['$service', '$service6'] ServerName=dns.example" "$(profile weir-tls.mobileconfig)"
same "over HTTPS" "DNSProtocol=HTTPS ServerAddresses=['$service', '$service6'] ServerURL=https://dns.example/a&b" "$(profile weir-https.mobileconfig)"
while sleep 0.3; do client kdig +timeout=1 +retry=0 @$service check-07070707.example.com A; done >/dev/null 2>&1 &
asking=$!
who=rob check "a device that asks is seen" browse login "do:(crypto.getRandomValues = (b) => b.fill(7), true)" "$devices" "$there" "do:document.querySelector('main').textContent.includes('check-07070707.example.com')" \
	"do:$(press 'Wait for the device')" "do:[...document.querySelectorAll('main [role=status]')].some((s) => s.textContent.includes('198.18.0.2 asks this box.'))"
kill $asking
check "the query log off" weirctl config set query_log.enabled false
who=rob check "is said, and no more of the device" browse login "$devices" "$there" "do:$(press 'Wait for the device')" "do:[...document.querySelectorAll('main [role=status]')].some((s) => s.textContent.startsWith('The query log is off'))"
check "on again" weirctl config clear query_log.enabled
sed -i 's/^\(dot\|doh\): {enabled: true}/\1: {enabled: false}/' $config
check "TLS and HTTPS off" taken_over weirctl config reload
check "have no profile then" browse login "$devices" "$there" "do:document.querySelector('main').textContent.includes('serves DNS neither over TLS') && !$(press 'Profile with TLS')"
finish
