#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Servers over HTTPS as upstreams: dnsdist, and a scripted one that fails in each way. What they prove, what a question
# gets when they do not, what is counted, and that nothing leaves in clear text.
. "$(dirname "$0")/_init.sh"

dir=$tmp/https
mkdir $dir $dir/doh
. "$smoke_dir/upstream_lib.sh"
check "certificates" eval "authority ca && authority stranger && certificate good ca DNS:dns.test,IP:127.0.0.1 &&
	certificate other ca DNS:other.test"

head -c 80 /dev/urandom >$dir/tickets
cat >$dir/dnsdist.lua <<END
addDOHLocal("127.0.0.1:443", "$dir/good.pem", "$dir/good.key", "/dns-query", {ticketKeyFile="$dir/tickets"})
newServer("127.0.0.1:5301")
getServer(0):setUp()
setLocal("127.0.0.1:5399")
END
dnsdist_start() {
	dnsdist --supervised -C $dir/dnsdist.lua >>$dir/dnsdist.log 2>&1 &
	dnsdist=$!
	eventually listens 127.0.0.1:443
}
dnsdist_stop() { kill $dnsdist; wait $dnsdist 2>/dev/null; }
# It ends with its standard input.
scripted_start() {
	cp $dir/good.pem $dir/doh/server.pem && cp $dir/good.key $dir/doh/server.key || return
	coproc scripted { exec $python "$root/tests/unit/doh_server.py" $dir/doh 444 2>>$dir/doh.err; }
	eventually listens 127.0.0.1:444
}

lab_up
upstream 53 $tmp/clear.log # for queries in clear text
cp $config $tmp/plain.yaml
says() { weirctl upstream test "$1" | grep -q "$2"; }

check "dnsdist" dnsdist_start
check "a server over HTTPS" servers 'strict: true' 'address: "https://dns.test@127.0.0.1/dns-query", name: dist'
same "its answer" 198.18.200.1 "$(short ok.dist.test A)"
same "by HTTPS" https "$(of dist .via)"
same "of HTTP/2" 2 "$(of dist .https.version)"
check "of TLS 1.3" grep -q TLSv1.3 <<<"$(of dist .tls.about)"
check "for a person too" grep -q '^dist: HTTP/2; .* replies; failed: 0 by status, 0 by type, 0 by size, 0 connections' <<<"$(weirctl upstreams)"
for i in $(seq 50); do short many-$i.dist.test A; done >$tmp/many
same "fifty more" 50 "$(grep -c . $tmp/many)"
check "on few connections" test "$(of dist .tcp_opened)" -le 4
same "no failure" 0 "$(of dist '.https | .failed_status + .failed_type + .failed_body + .failed_connection')"
check "test" says dist '^HTTPS: NOERROR'
same "no word of clear text" 0 "$(weirctl status | grep -c 'OVER TLS')"
check "its memory is in a table" grep -q upstream_https <<<"$(weirctl mem tables)"

check "its key, pinned" servers 'strict: true' "address: 'https://127.0.0.1/dns-query', name: dist, pin: ['$(pin_of good)']"
same "its answer, by the address" 198.18.200.1 "$(short ok.pinned.test A)"
check "another key" servers 'strict: true' "address: 'https://127.0.0.1/dns-query', name: dist, pin: ['$(pin_of other)']"
check "SERVFAIL" fails ok.pin.test
check "counted" eventually at_least dist .tls.failed_pin 1
check "said by a test" says dist 'not sent: .*none of those pinned\|no reply: .*none of those pinned'
check "another name" servers 'strict: true' 'address: "https://else.test@127.0.0.1/dns-query", name: dist'
check "SERVFAIL for it" fails ok.name.test
check "counted as a name" eventually at_least dist .tls.failed_name 1
check "and logged" eventually grep -q 'upstream dist: no connection over TLS (name)' /run/weir/lab/controlplane.log
check "other authorities" eval "ca=stranger servers 'strict: true' 'address: \"https://dns.test@127.0.0.1/dns-query\", name: dist'"
check "SERVFAIL as well" fails ok.foreign.test
check "counted as a certificate" eventually at_least dist .tls.failed_certificate 1

check "the right ones" servers 'strict: true' 'address: "https://dns.test@127.0.0.1/dns-query", name: dist'
up_again() { is dist .state up && resolves ok.back-$RANDOM.test; }
check "answers" eventually up_again
dnsdist_stop
check "nobody listens: SERVFAIL" fails ok.gone.test
check "down" eventually is dist .state down
check "dnsdist again" dnsdist_start
check "up, by checks, and answers" eventually up_again
dnsdist_stop

check "a scripted server" scripted_start
path() { servers "strict: true${2-}" "address: \"https://dns.test@127.0.0.1:444$1\", name: doh"; } # path PATH KEYS
asked() { grep -c "\"$1\"" $dir/doh/requests; }
check "that answers" path /dns-query
same "rightly" 192.0.2.77 "$(short a.script.test A)"
check "that closes after each answer" path /close
for i in $(seq 8); do short close-$i.script.test A; done >$tmp/close
same "eight answers" 8 "$(grep -c '^192.0.2.77$' $tmp/close)"
check "by sessions of before" at_least doh .tls.resumed 4
check "with an Age of 250" path /age
ttl=$(client kdig @$service old.script.test A +noall +answer | awk '{print $2}')
check "50 s are left of 300 ($ttl)" test "${ttl:-300}" -le 50
for kind in "status /status" "type /type" "body /big" "body /endless" "connection /reset"; do
	set -- $kind
	check "$2" path $2
	before=$(of doh .https.failed_$1)
	check "SERVFAIL of $2" fails ${2#/}.script.test
	check "counted as $1" eventually at_least doh .https.failed_$1 $((before + 1))
done
check "500s" path /status
check "down, by checks" eventually is doh .state down
check "with its status" eventually is doh .https.status 500
check "which weirctl shows" eval 'weirctl upstreams | grep -q "by status (the latest 500)"'
check "said by a test of it" says doh 'HTTP status 500'
check "stalls" path /stall
check "SERVFAIL in time" fails stall.script.test
check "asked" test "$(asked /stall)" -ge 1
same "no cookie, no name of the software" 0 "$(grep -c 'cookie\|user-agent' $dir/doh/requests)"
same "no question in clear text" "" "$(cat $tmp/clear.log 2>/dev/null)"
same "nor one to the lab's upstream" 0 "$(up_log | grep -c 'script.test')"
finish
