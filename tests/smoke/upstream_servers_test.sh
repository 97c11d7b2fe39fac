#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# More servers over TLS and HTTPS: BIND and Knot Resolver over both, unbound over HTTPS, and a scripted one over TLS that
# resets, stalls, lies, closes and changes its certificate.
. "$(dirname "$0")/_init.sh"

dir=$tmp/servers
mkdir $dir
. "$smoke_dir/upstream_lib.sh"
check "certificates" eval "authority ca && authority stranger && certificate good ca DNS:dns.test && certificate foreign stranger DNS:dns.test"

named_start() {
	cat >$dir/named.conf <<END
tls ours { cert-file "$dir/good.pem"; key-file "$dir/good.key"; };
http ours { endpoints { "/dns-query"; }; };
options {
	directory "$dir";
	listen-on port 853 tls ours { 127.0.0.1; };
	listen-on port 443 tls ours http ours { 127.0.0.1; };
	listen-on-v6 { none; };
	recursion no;
	pid-file none;
	session-keyfile none;
	lock-file none;
	dnssec-validation no;
};
controls { };
zone "bind.test" { type primary; file "$dir/bind.zone"; };
END
	printf '$TTL 60\n@ SOA . . 1 60 60 60 60\n@ NS localhost.\n* A 192.0.2.78\n' >$dir/bind.zone
	named -g -4 -n 1 -c $dir/named.conf >$dir/named.log 2>&1 &
	eventually listens 127.0.0.1:853 && eventually listens 127.0.0.1:443
}
kresd_start() {
	mkdir $dir/kresd
	cat >$dir/kresd.conf <<END
net.listen('127.0.0.3', 853, { kind = 'tls' })
net.listen('127.0.0.3', 443, { kind = 'doh2' })
net.tls('$dir/good.pem', '$dir/good.key')
net.ipv6 = false
trust_anchors.remove('.')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
cache.size = 10 * MB
policy.add(policy.suffix(policy.ANSWER({ [kres.type.A] = { rdata = kres.str2ip('192.0.2.79'), ttl = 60 } }),
	policy.todnames({'kresd.test'})))
END
	kresd -n -c $dir/kresd.conf $dir/kresd >$dir/kresd.log 2>&1 &
	eventually listens 127.0.0.3:853 && eventually listens 127.0.0.3:443
}
# It ends with its standard input.
scripted_start() {
	coproc scripted { exec $python "$smoke_dir/rig/dot_upstream.py" 127.0.0.5 853 $dir/good.pem $dir/good.key $dir/script.log 2>>$dir/script.err; }
	eventually listens 127.0.0.5:853
}

lab_up
upstream 53 $tmp/clear.log # for queries in clear text
cp $config $tmp/plain.yaml
answers() { [ "$(short "$1-$RANDOM.$2" A)" = "$3" ]; }

# real NAME URL ZONE ADDRESS: a server that answers for all names of a zone, by its right name and by a wrong one
real() {
	local via=tls url=$2
	[[ $url == https:* ]] && via=https
	check "$1" servers 'strict: true' "address: '$url', name: $1"
	check "its answer" eventually answers a "$3" "$4"
	same "by $via" $via "$(of "$1" .via)"
	[ $via = tls ] || same "of HTTP/2" 2 "$(of "$1" .https.version)"
	check "of TLS 1.3" grep -q TLSv1.3 <<<"$(of "$1" .tls.about)"
	for i in $(seq 10); do short "many-$i-$RANDOM.$3" A; done >$tmp/many
	same "ten more" 10 "$(grep -cx "$4" $tmp/many)"
	check "on few connections" test "$(of "$1" .tcp_opened)" -le 4
	check "another name" servers 'strict: true' "address: '${url/dns.test/else.test}', name: $1"
	check "SERVFAIL" fails "name-$RANDOM.$3"
	check "counted as a name" at_least "$1" .tls.failed_name 1
}
check "BIND starts" named_start
check "Knot Resolver starts" kresd_start
check "unbound starts" unbound_start 127.0.0.4 443 good
real bind tls://dns.test@127.0.0.1 bind.test 192.0.2.78
real bindh https://dns.test@127.0.0.1/dns-query bind.test 192.0.2.78
real kresd tls://dns.test@127.0.0.3 kresd.test 192.0.2.79
real kresdh https://dns.test@127.0.0.3/dns-query kresd.test 192.0.2.79
real unboundh https://dns.test@127.0.0.4/dns-query unbound.test 192.0.2.77

check "a scripted server" scripted_start
check "over TLS" servers 'strict: true' 'address: tls://dns.test@127.0.0.5, name: script'
same "answers" 192.0.2.81 "$(short a.script.test A)"
asking=()
for word in reset stall id other half; do # at one time: each takes what a question has
	{ fails $word.script.test && echo failed; } >$tmp/of-$word & asking[${#asking[@]}]=$!
done
wait "${asking[@]}"
for word in reset stall id other half; do
	same "$word: SERVFAIL" failed "$(cat $tmp/of-$word)"
	check "it was asked" grep -q "^$word.script.test" $dir/script.log
done
check "answers again" eventually answers a script.test 192.0.2.81
for i in $(seq 8); do short close-$i.script.test A; done >$tmp/close
same "closes after each: eight answers" 8 "$(grep -c '^192.0.2.81$' $tmp/close)"
check "by sessions of before" test "$(grep -c '^close.* resumed' $dir/script.log)" -ge 4
echo "$dir/foreign.pem $dir/foreign.key" >&${scripted[1]}
short close-again.script.test A >/dev/null # on the last connection of the right certificate, if one is open
check "the certificate of a stranger: SERVFAIL" eventually eval 'fails foreign-$RANDOM.script.test' # a new name: an answer to the last one is cached
check "counted as a certificate" at_least script .tls.failed_certificate 1
echo "$dir/good.pem $dir/good.key" >&${scripted[1]}
check "the right one: answers" eventually answers a script.test 192.0.2.81
same "no question in clear text" "" "$(cat $tmp/clear.log 2>/dev/null)"
same "nor one to the lab's upstream" 0 "$(up_log | grep -c 'script.test\|bind.test\|kresd.test\|unbound.test')"
finish
