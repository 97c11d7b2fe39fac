#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients behind balancers that speak PROXY protocol v2: haproxy before TCP and TLS, dnsdist before UDP too. Each client has its
# own group, access and row of the log; a balancer without a header has no answer.
. "$(dirname "$0")/_init.sh"

balancer=198.18.0.2
tcp_count() { weirctl --json tcp | jq ".$1"; }
count_is() { [ "$(tcp_count "$1")" = "$2" ]; }
at_least() { [ "$(tcp_count "$1")" -ge "$2" ]; }
dp_at_least() { [ "$(dp "$1" "$2")" -ge "$3" ]; }
via() { # via CLIENT PORT KDIG_ARGUMENTS...
	local from=$1 port=$2
	shift 2
	client kdig -b "$from" +short +timeout=5 +retry=1 @$balancer -p "$port" "$@"
}

lab_up --dot
check "more clients" client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2) &&
	for host in 66 67 99; do ip addr add 198.18.0.$host/24 dev $dev || exit; done'
sed -i 's/^access:/&\n  deny: [198.18.0.99]/' $config
cat >>$config <<END
proxy_protocol: {from: [$balancer]}
groups:
- {name: kids, clients: [198.18.0.66], deny: [toys.test]}
END
check "balancers by a reload" taken_over weirctl config reload

cat >$tmp/haproxy.cfg <<END
global
	maxconn 200
defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen tcp
	bind $balancer:1053
	server weir $service:53 send-proxy-v2 check check-send-proxy inter 200ms
listen tls
	bind $balancer:1853
	server weir $service:853 send-proxy-v2-ssl
END
cat >$tmp/dnsdist.lua <<END
setLocal("$balancer:2053")
setACL({"198.18.0.0/15"})
newServer({address="$service:53", useProxyProtocol=true, checkTimeout=5000})
END
haproxy_listens() { [ "$(client ss -Htnl 'sport = :1053 or sport = :1853' | wc -l)" = 2 ]; }
dnsdist_listens() { [ -n "$(client ss -Hunl 'sport = :2053')" ]; }
client haproxy -q -db -f $tmp/haproxy.cfg >$tmp/haproxy.log 2>&1 & haproxy=$!
client dnsdist --supervised -C $tmp/dnsdist.lua >$tmp/dnsdist.log 2>&1 & dnsdist=$!
check "haproxy" eventually haproxy_listens
check "dnsdist" eventually dnsdist_listens

same "TCP by haproxy" 198.18.200.1 "$(via 198.18.0.67 1053 +tcp ok-3000.cached.test A)"
same "a name that a group blocks" 198.18.200.1 "$(via 198.18.0.67 1053 +tcp ok.toys.test A)"
check "for its clients" eval 'client kdig -b 198.18.0.66 +tcp @$balancer -p 1053 ok.toys.test A | grep -q NXDOMAIN'
same "TLS by haproxy" 198.18.200.1 "$(via 198.18.0.67 1853 +tls ok.toys.test A)"
check "the group over TLS" eval 'client kdig -b 198.18.0.66 +tls @$balancer -p 1853 ok.toys.test A | grep -q NXDOMAIN'
check "who may not ask is refused" eval '! client kdig -b 198.18.0.99 +tcp +timeout=2 +retry=0 @$balancer -p 1053 ok-3000.cached.test A'
check "and counted" eventually at_least refused_denied 1
check "headers of accepted connections are counted" eventually at_least proxied 5
check "health checks are no errors" eventually at_least ended.client 3
same "no header was bad" 0 "$(tcp_count ended.proxy)"

dist() { [ "$(via 198.18.0.67 2053 ok-3000.cached.test A)" = 198.18.200.1 ]; }
check "UDP by dnsdist" eventually dist
check "its client's group" eval 'client kdig -b 198.18.0.66 @$balancer -p 2053 ok.toys.test A | grep -q NXDOMAIN'
same "a name that is not cached" 198.18.200.1 "$(via 198.18.0.67 2053 ok-77.proxied.test A)"
same "and again" 198.18.200.1 "$(via 198.18.0.67 2053 ok-77.proxied.test A)"
check "who may not ask has no answer over UDP" eval '! client kdig -b 198.18.0.99 +timeout=1 +retry=0 @$balancer -p 2053 ok-3000.cached.test A'
check "and is counted" eventually dp_at_least verdict drop_denied 1
check "datagrams with a header are counted" dp_at_least counter proxied 5
same "no datagram had a bad one" 0 "$(dp verdict drop_proxy)"
same "TCP by dnsdist" 198.18.200.1 "$(via 198.18.0.67 2053 +tcp ok.toys.test A)"
same "still no bad header" 0 "$(tcp_count ended.proxy)"

check "the balancer without a header" eval '! client kdig +tcp +timeout=2 +retry=0 @$service ok-3000.cached.test A'
check "is counted" eventually at_least ended.proxy 1
check "metrics" eval 'weirctl metrics | grep -q "weir_tcp_ended_total{why=\"proxy\"} [1-9]"'
check "for a person too" eval 'weirctl tcp | grep -q "no PROXY header, or a bad one, from a balancer"'
same "others need none" 198.18.200.1 "$(short -b 198.18.0.67 +tcp ok-3000.cached.test A)"
datagram() { # datagram SENDER CLIENT: the code of a reply to a query with a header, or "none"
	client $python - "$@" <<-END
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.settimeout(3)
		s.bind((sys.argv[1], 0))
		header = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c" + socket.inet_aton(sys.argv[2]) + bytes([198, 18, 0, 53, 9, 9, 0, 53])
		s.sendto(header + b"\0\1\1\0\0\1\0\0\0\0\0\0\2ok\4toys\4test\0\0\1\0\1", ("$service", 53))
		try:
		    print(s.recv(512)[3] & 15)
		except TimeoutError:
		    print("none")
	END
}
same "a header over UDP" 0 "$(datagram $balancer 198.18.0.67)"
same "that names a client of a group" 3 "$(datagram $balancer 198.18.0.66)"
same "that names who may not ask" none "$(datagram $balancer 198.18.0.99)"
same "of who is no balancer: another opcode" 4 "$(datagram 198.18.0.67 198.18.0.66)"
check "the balancer without a header over UDP" eval '! client kdig +timeout=2 +retry=0 @$service ok-3000.cached.test A'
check "is counted" eventually dp_at_least verdict drop_proxy 1
check "in the metrics too" eval 'weirctl metrics | grep -q "weir_frames_total{verdict=\"drop_proxy\"} [1-9]"'
same "others need none over UDP" 198.18.200.1 "$(short -b 198.18.0.67 ok-3000.cached.test A)"
check "no connection waits for a header" eventually eval '[ "$(weirctl --json mem tables | jq "[.. | objects | select(.name == \"tcp_proxied\") | .used] | add")" = 0 ]'

kill $haproxy $dnsdist
wait $haproxy $dnsdist 2>/dev/null
sed -i '/^proxy_protocol:/d' $config
check "without balancers" taken_over weirctl config reload
same "no header is due" 198.18.200.1 "$(short +tcp ok-3000.cached.test A)"
same "nor over UDP" 198.18.200.1 "$(short ok-3000.cached.test A)"
check "every frame has one verdict" verdicts_add_up
finish
