#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DNS over TLS for clients: kdig, openssl s_client and dnsperf against the lab, certificates by name and replaced under a
# live connection, bad files, sessions, and 2,000 idle connections whose memory comes back, and 1,000 slow ones.
# More: WEIR_TLS_IDLE=10000 WEIR_TLS_SLOW=5000
. "$(dirname "$0")/_init.sh"

lab_up --dot
tls=/run/weir/lab/tls
dot() { client kdig +tls +timeout=10 +retry=0 "$@"; }
strict() { dot +tls-ca=$tls/cert.pem "$@"; } # strict NAME KDIG_ARGUMENTS...
tls_client() { client timeout 10 openssl s_client -connect $service:853 "$@" </dev/null 2>&1; }
tls_count() { weirctl --json tcp | jq -r ".tls.$1"; }
at_least() { [ "$(tls_count "$1")" -ge "$2" ]; }
certificate() { # certificate FILE NAMES
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=server \
		-keyout $tls/$1.key -out $tls/$1.pem -addext "subjectAltName=$2" 2>/dev/null
}

same "a cached name" 198.18.200.1 "$(strict +tls-hostname=dns.lab.example +short @$service ok-3000.cached.test A)"
same "over IPv6" 198.18.200.1 "$(strict +tls-hostname=dns.lab.example +short @$service6 ok-3000.cached.test A)"
same "one that is not cached" 198.18.200.1 "$(dot +short @$service ok.fresh.test A)"
same "a blocked one" NXDOMAIN "$(dot @$service blocked.test A | rcode_of)"
check "13 KiB" eval 'dot @$service huge.test TXT | grep -q "ANSWER: 60"'
check "padded queries get padded replies" eval 'dot +padding @$service ok-3000.cached.test A | grep -q "Received 468 B"'
check "in clear text they do not" eval '! client kdig +tcp +padding @$service ok-3000.cached.test A | grep -q "Received 468 B"'
check "weirctl tcp" eval 'weirctl tcp | grep -q "listens on $service:853 (dot)" && weirctl tcp | grep -q "certificate   dns.lab.example"'

check "TLS 1.3" eval 'tls_client -tls1_3 -alpn dot | grep -q "New, TLSv1.3"'
check "TLS 1.2" eval 'tls_client -tls1_2 | grep -q "New, TLSv1.2"'
check "TLS 1.1 is refused" eval '! tls_client -tls1_1 -cipher ALL:@SECLEVEL=0 | grep -q "New, TLSv1"'
check "and counted" at_least failed.version 1
check "another protocol is refused" eval '! tls_client -alpn h2 | grep -q "New, TLSv1"'
check "renegotiation too" eval 'tls_client -tls1_2 | grep -q "Secure Renegotiation IS supported"
	! printf "R\n" | client timeout 10 openssl s_client -tls1_2 -connect $service:853 2>&1 | grep -q "^read R BLOCK"
	printf "R\n" | client timeout 10 openssl s_client -tls1_2 -connect $service:853 2>&1 | grep -qi "no renegotiation"'
tls_client -tls1_3 -sess_out $tmp/session -ign_eof >/dev/null & session=$!
eventually test -s $tmp/session
kill $session 2>/dev/null
check "no ticket allows early data" eval 'openssl sess_id -in $tmp/session -noout -text | grep -q "Max Early Data: 0$"'
check "a session is resumed" eval 'tls_client -sess_in $tmp/session | grep -q "^Reused"'
check "and counted" eventually at_least resumed 1 # the client may end before weir has its last message
client $python -c "
import socket
s = socket.create_connection(('$service', 853), 10)
s.sendall(b'GET / HTTP/1.1\r\n\r\n')
while s.recv(100): pass"
check "garbage is counted" at_least failed.not_tls 1

shown() { tls_client "$@" | openssl x509 -noout -ext subjectAltName 2>/dev/null | grep -o 'DNS:[^,]*'; }
check "more certificates" eval 'certificate kids DNS:*.kids.example && certificate other DNS:other.example'
sed -i "s|^  certificates: .*|  certificates: [{cert: $tls/cert.pem, key: $tls/key.pem}, {cert: $tls/kids.pem, key: $tls/kids.key}]|" $config
check "by a reload" weirctl config reload --keep # a look at the health behind each leap in a row might see no heartbeat
same "by a wildcard" 'DNS:*.kids.example' "$(shown -servername tom.kids.example)"
same "a wrong name gets the first" DNS:dns.lab.example "$(shown -servername nobody.example)"
same "and so does none" DNS:dns.lab.example "$(shown -noservername)"

# Under a live connection: it asks before and after, on the same connection.
mkfifo $tmp/ask
client $python "$smoke_dir/rig/dot_live.py" <$tmp/ask >$tmp/live & live=$!
exec 7>$tmp/ask
echo >&7
check "a live connection" eventually grep -q '^answer 1' $tmp/live
cp $tls/other.key $tls/kids.key
cp $tls/other.pem $tls/kids.pem
is_other() { [ "$(shown -servername other.example)" = DNS:other.example ]; }
ahead 5
check "the changed file is seen without a reload" eventually is_other
echo >&7
check "the live connection goes on" eventually grep -q '^answer 2' $tmp/live
exec 7>&-
wait $live
echo rubbish >$tls/kids.pem
ahead 5
check "a bad file" eventually eval 'weirctl tcp | grep -q "certificates NOT replaced: $tls/kids.pem"'
check "leaves what was there" is_other
check "a reload says so" eval 'weirctl config reload 2>&1 | grep -q "certificates NOT replaced: $tls/kids.pem"'
mv $list $list.away
check "and what else is wrong" eval 'weirctl config reload 2>&1 | grep -q "certificates NOT replaced: .*; except list \"blocked.list\""'
mv $list.away $list
check "config check says so" eval '! weirctl config check && weirctl config check 2>&1 | grep -q "tls.certificates\[1\].cert: $tls/kids.pem"'
rm $tls/kids.pem
ahead 5
check "a file that is gone" eventually eval 'weirctl tcp | grep -q "NOT replaced: $tls/kids.pem: no such file"'
check "is looked for again" eval '! weirctl config reload && ! weirctl config reload'
same "and reported once" 1 "$(grep -c "TLS: certificates: $tls/kids.pem: no such file" /run/weir/lab/controlplane.log)"
cp $tls/other.pem $tls/kids.pem
cp $tls/key.pem $tls/kids.key
check "config check: another key" eval 'weirctl config check 2>&1 | grep -q "is not the key of the certificate"'
cp $tls/other.key $tls/kids.key
check "good again" weirctl config check
ahead 5
check "and read" eventually eval '[ "$(tls_count error)" = "" ]'

sed -i 's/^tcp:/&\n  idle_timeout: 600/' $config
check "who is silent may stay" weirctl config reload
memory() { awk '/^(RssAnon|RssShmem)/ { n += $2 } END { print n }' /proc/"$(pid controlplane)"/status; }
eventually_twice() { local patience=$((2 * patience)) && eventually "$@"; } # so many handshakes on a busy machine
before=$(memory)
many=${WEIR_TLS_IDLE:-2000} slow=${WEIR_TLS_SLOW:-1000}
client $python "$smoke_dir/rig/dot_live.py" idle $many >$tmp/idle <$tmp/ask & idle=$!
exec 7>$tmp/ask
check "$many idle connections" eventually_twice grep -q "^open $many" $tmp/idle
during=$(memory)
echo "# memory: $(((during - before) * 1024 / many)) bytes a connection"
check "a cached name meanwhile" [ "$(dot +short @$service ok-3000.cached.test A)" = 198.18.200.1 ]
exec 7>&-
wait $idle
none() { [ "$(tls_count open) $(tls_count shaking)" = "0 0" ]; }
check "none is left" eventually none
given_back() { [ $(($(memory) - before)) -lt $(((during - before) / 2 + 4096)) ]; }
check "their memory is back" eventually given_back
sed -i '/idle_timeout/d' $config
check "silence ends connections again" weirctl config reload
client $python "$smoke_dir/rig/dot_live.py" slow $slow >$tmp/slow <$tmp/ask & idle=$!
exec 7>$tmp/ask
check "$slow slow ones, half of them in their handshake" eventually_twice grep -q "^open $slow" $tmp/slow
check "a cached name meanwhile" [ "$(dot +short @$service ok-3000.cached.test A)" = 198.18.200.1 ]
ahead 10
check "they are ended, though nobody closes them" eventually none
check "as late, or for others" test "$(($(tls_count failed.late) + $(tls_count failed.evicted)))" -ge $((slow / 2))
exec 7>&-
wait $idle

seq 1000 | sed 's/.*/ok-3000.cached.test A/' >$tmp/names
check "dnsperf -m dot" eval 'client dnsperf -m dot -s $service -d $tmp/names -c 10 -l 2 >$tmp/perf && grep -q "Queries lost: *0 " $tmp/perf'
grep 'Queries per second' $tmp/perf | sed 's/^ */# /'

sed -i '/^dot:/,+1 s/enabled: true/enabled: false/' $config
sed -i "s|^  certificates: .*|  certificates: []|" $config
check "turned off, and without certificates" weirctl config reload
same "none is kept" 0 "$(tls_count 'certificates | length')"
check "nobody listens" eval '! dot @$service ok-3000.cached.test A'
same "clear text goes on" 198.18.200.1 "$(client kdig +tcp +short @$service ok-3000.cached.test A)"
check "every frame has one verdict" verdicts_add_up
finish
