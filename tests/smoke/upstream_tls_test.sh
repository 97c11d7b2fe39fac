#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Real servers as upstreams over TLS: unbound and dnsdist, with certificates made here: what they prove, what a
# question gets when they do not, sessions, and that nothing leaves in clear text.
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
. "$(dirname "$0")/_init.sh"

dir=$tmp/tls
mkdir $dir
. "$smoke_dir/upstream_lib.sh"
check "certificates" eval "authority ca && authority stranger && certificate good ca DNS:dns.test,IP:127.0.0.1 &&
	certificate wrong ca DNS:other.test && certificate foreign stranger DNS:dns.test,IP:127.0.0.1"

unbound_stop() { kill $unbound; wait $unbound 2>/dev/null; }
unbound_asked() { grep -c "$1" $dir/unbound.log; }

lab_up
upstream 53 $tmp/clear.log # for queries in clear text
cp $config $tmp/plain.yaml

check "unbound" unbound_start 127.0.0.1 853 good
check "a server over TLS" servers 'strict: true' 'address: tls://dns.test@127.0.0.1, name: tls'
same "its answer" 192.0.2.77 "$(short a.unbound.test A)"
same "by TLS" tls "$(of tls .via)"
same "no word of clear text" 0 "$(weirctl status | grep -c 'OVER TLS')"
check "of 1.3" grep -q TLSv1.3 <<<"$(of tls .tls.about)"
check "for a person too" grep -q '^tls: TLS: TLSv1.3 .* 0 names, 0 pins' <<<"$(weirctl upstreams)"
for i in $(seq 50); do short many-$i.unbound.test A; done >$tmp/many
same "fifty more" 50 "$(grep -c '^192.0.2.77$' $tmp/many)"
check "on few connections" test "$(of tls .tcp_opened)" -le 8
check "test" weirctl upstream test tls
same "says TLS alone" true "$(weirctl --json upstream test tls | jq -r "if .udp or .tcp then false else .tls.answered end")"

# A restart: the next connection resumes a session where the server still knows its tickets; unbound makes new keys.
ahead 5
check "idle ones are closed" eventually eval '[ "$(resolver upstream_tcp_open)" = 0 ]'
same "an answer after that" 192.0.2.77 "$(short idle.unbound.test A)"
check "by a session of before" at_least tls .tls.resumed 1

check "its key, pinned" servers 'strict: true' "address: tls://127.0.0.1, name: tls, pin: ['$(pin_of good)']"
same "its answer, by the address" 192.0.2.77 "$(short pinned.unbound.test A)"
check "another key" servers 'strict: true' "address: tls://127.0.0.1, name: tls, pin: ['$(pin_of wrong)']"
check "SERVFAIL" fails pin.unbound.test
check "counted" eventually at_least tls .tls.failed_pin 1
check "another name" servers 'strict: true' 'address: tls://else.test@127.0.0.1, name: tls'
check "SERVFAIL for it" fails name.unbound.test
check "counted as a name" eventually at_least tls .tls.failed_name 1
check "and logged" eventually grep -q 'upstream tls: no connection over TLS (name)' /run/weir/lab/controlplane.log
unbound_stop
check "unbound with a certificate of a stranger" unbound_start 127.0.0.1 853 foreign
check "the name that it is for" servers 'strict: true' 'address: tls://dns.test@127.0.0.1, name: tls'
check "SERVFAIL as well" fails foreign.unbound.test
check "counted as a certificate" eventually at_least tls .tls.failed_certificate 1
same "it was asked nothing" 0 "$(unbound_asked foreign.unbound)"
unbound_stop
check "unbound with the right one" unbound_start 127.0.0.1 853 good
check "checks find it" eventually is tls .state up
same "and it answers" 192.0.2.77 "$(short again.unbound.test A)"

unbound_stop
check "nobody listens: SERVFAIL" fails gone.unbound.test
check "down" eventually is tls .state down
same "no question in clear text" "" "$(cat $tmp/clear.log 2>/dev/null)"
same "nor one to the lab's upstream" 0 "$(up_log | grep -c 'unbound.test')"
check "unbound again" unbound_start 127.0.0.1 853 good
check "up" eventually is tls .state up

# dnsdist keeps its ticket keys in a file, so a session outlives a restart.
head -c 80 /dev/urandom >$dir/tickets
cat >$dir/dnsdist.lua <<END
addTLSLocal("127.0.0.2:853", "$dir/good.pem", "$dir/good.key", {ticketKeyFile="$dir/tickets", provider="openssl"})
newServer("127.0.0.1:5301")
getServer(0):setUp()
setLocal("127.0.0.2:5399")
END
dnsdist_start() {
	dnsdist --supervised -C $dir/dnsdist.lua >>$dir/dnsdist.log 2>&1 &
	dnsdist=$!
	eventually listens 127.0.0.2:853
}
check "dnsdist" dnsdist_start
check "as the upstream" servers 'strict: true' 'address: tls://dns.test@127.0.0.2, name: dist'
same "an answer" 198.18.200.1 "$(short ok.dist.test A)"
several() { # each resolver has sessions of its own
	for i in $(seq 8); do resolves ok.dist-$RANDOM.test || return; done
}
check "and several" several
kill $dnsdist
wait $dnsdist 2>/dev/null
check "started again" dnsdist_start
resumed=$(of dist .tls.resumed)
again_up() { resolves ok.dist-$RANDOM.test; }
check "an answer of the new one" eventually again_up
check "and several of it" several
check "by a session of the old one" at_least dist .tls.resumed $((resumed + 1))

check "clear text beside TLS" servers 'policy: failover' 'address: tls://dns.test@127.0.0.9, name: none' 'address: 127.0.0.1:5301, name: plain'
same "answers" 198.18.200.1 "$(short ok.mixed.test A)"
same "and says so" kernel "$(of plain .via)"
clear_said() { weirctl status | grep -q 'warning: no server over TLS answers'; }
check "as does the status" eventually clear_said
cp $config $tmp/mixed.yaml
sed -i 's/policy: failover/strict: true/' $config
why=$(weirctl config check 2>&1)
same "strict: refused" 1 $?
same "said" 'servers "plain": address: would be asked in clear text' \
	"$(grep -o 'servers "plain": address: would be asked in clear text' <<<"$why" || echo "$why")"
cp $tmp/mixed.yaml $config
finish
