#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The programs that ask a resolver in daily life, each as a client of weir: command line tools, the C library's stub resolver, and
# the forwarders that people put in front of it. A program that is not installed is a check less, and is named; under tools/test,
# which has installed them all (WEIR_INSTALLED), or unpacked them (systemd-resolved), it is a failure.
. "$(dirname "$0")/_init.sh"

lab_up
[ -z "${WEIR_RECORD-}" ] || client $python "$root/tests/fuzz/record.py" capture "$WEIR_RECORD/clients.pcap" wt0 &
conf=/run/clients
mkdir -p $conf
truth=198.18.200.1 truth6=fd53::c801

# have PROGRAM...: are they here? Says so if not.
have() {
	local program
	for program; do
		PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null && continue
		[ -z "${WEIR_INSTALLED-}" ] || check "$program is installed" false
		echo "# no $program here: its checks are left out"
		return 1
	done
}
served() { check "$1 is up" eventually "${@:2}"; } # served NAME CMD...: CMD succeeds before long
texts() { sort -u | grep -c xxxx; }

# --- kdig, dig, drill, delv: each over UDP and TCP, IPv4 and IPv6, with and without EDNS, after TC, NXDOMAIN --------------

for address in $service $service6; do
	same "kdig $address" $truth "$(client kdig +short @$address ok.kdig.test A)"
	same "kdig $address +tcp" $truth "$(client kdig +short +tcp @$address ok.kdig.test A)"
	same "kdig $address +noedns" $truth "$(client kdig +short +noedns @$address ok.kdig.test A)"
	same "kdig $address +dnssec" $truth "$(client kdig +short +dnssec @$address ok.kdig.test A)"
done
same "kdig goes to TCP after TC" 20 "$(client kdig +short @$service big.kdig.test TXT | texts)"
same "kdig +keepopen over one connection" "$truth $truth" \
	"$(client kdig +short +tcp +keepopen @$service ok.kdig.test A ok.kdig2.test A | xargs)"

if have dig; then
	for address in $service $service6; do
		for how in "" +tcp +noedns +dnssec +nocookie "+bufsize=512" "+ednsopt=65001:abcd" "+subnet=198.18.0.0/24" +nsid +cdflag +adflag "+ednsflags=0x40" +keepalive; do
			# shellcheck disable=SC2086
			same "dig $address $how" $truth "$(client dig +short +time=4 +tries=2 $how @$address ok.dig.test A)"
		done
	done
	same "dig goes to TCP after TC" 20 "$(client dig +short @$service big.dig.test TXT | texts)"
	same "dig +ignore stays" 1 "$(client dig +ignore @$service big.dig.test TXT | grep -c 'flags:.* tc')"
	same "dig finds nothing to warn of" 0 "$(client dig @$service ok.dig.test A | grep -ciE 'warning|malformed|mismatch|extra')"
	same "dig +ednsnegotiation finds version 0" NOERROR \
		"$(client dig +edns=1 +ednsnegotiation @$service ok.dig.test A | sed -n 's/.*status: \([A-Z]*\),.*/\1/p')"
	same "dig sees NXDOMAIN with its SOA" "NXDOMAIN 1" "$(client dig @$service nx.dig.test A | awk '
		/status:/ { sub(/,/, "", $6); status = $6 } /\tSOA\t/ { soa++ } END { print status, soa + 0 }')"
	same "dig sees what is blocked" NXDOMAIN "$(client dig @$service blocked.test A | sed -n 's/.*status: \([A-Z]*\),.*/\1/p')"
fi
if have delv; then
	same "delv without validation" $truth "$(client delv -i +short @$service ok.delv.test A 2>&1)"
	same "delv -i over TCP" $truth "$(client delv -i +tcp +short @$service ok.delv.test A 2>&1)"
	check "delv says ncache for NXDOMAIN" grep -qi nxdomain <(client delv -i @$service nx.delv.test A 2>&1)
fi
if have drill; then
	drilled() { client drill "$@" | awk '$4 == "A" && /^[^;]/ { print $5 }'; }
	same "drill" $truth "$(drilled -4 ok.drill.test @$service A)"
	same "drill over TCP" $truth "$(drilled -4 -t ok.drill.test @$service A)"
	same "drill -D over IPv6" $truth "$(drilled -6 -D ok.drill.test @$service6 A)"
	same "drill goes to TCP after TC" 20 "$(client drill -a -4 big.drill.test @$service TXT | texts)"
fi
have host && check "host" grep -q "has address $truth" <(client host -t A ok.host.test $service)

# --- the C library ------------------------------------------------------------------------------------------------------------

stub() { # stub OPTIONS: what /etc/resolv.conf says, in this test's mounts alone
	printf 'nameserver %s\nnameserver %s\noptions timeout:4 %s\n' $service $service6 "$1" >$conf/resolv.conf
}
stub ""
mount --bind $conf/resolv.conf "$(readlink -f /etc/resolv.conf)" || bad=1
printf 'passwd: files\ngroup: files\nhosts: dns\n' >$conf/nsswitch.conf
mount --bind $conf/nsswitch.conf /etc/nsswitch.conf || bad=1
for options in "" edns0 use-vc "edns0 trust-ad" single-request "single-request-reopen no-aaaa" rotate; do
	stub "$options"
	same "getent, options $options" $truth "$(client getent ahostsv4 "ok.glibc.test" | awk 'NR == 1 { print $1 }')"
	[[ $options == *no-aaaa* ]] && continue
	same "getent AAAA, options $options" $truth6 "$(client getent ahostsv6 "ok.glibc6.test" | awk 'NR == 1 { print $1 }')"
done
stub ""
check "getent does not find what is not there" bash -c "! '$lab' exec getent ahosts nx.glibc.test"
same "getent follows an alias" "$truth ok.behind.test" \
	"$(client getent ahostsv4 cname_ok_behind_test.glibc.test | awk 'NR == 1 { print $1, tolower($3) }')"
same "python's resolver" $truth "$(client $python -c 'import socket; print(socket.gethostbyname("ok.python.test"))')"

# --- forwarders ---------------------------------------------------------------------------------------------------------------

through() { client kdig +short +timeout=10 +retry=0 @127.0.0.1 -p "$@"; }
# forwarder NAME PORT: answers, big answers over TCP, what is not there, what is blocked, EDNS
forwarder() {
	same "$1: an answer" $truth "$(through "$2" "ok.$1.test" A)"
	same "$1: IPv6 data" $truth6 "$(through "$2" "ok.$1.test" AAAA)"
	same "$1: with DO" $truth "$(through "$2" "ok.$1-do.test" A +dnssec)"
	same "$1: over TCP" $truth "$(through "$2" "ok.$1-tcp.test" A +tcp)"
	same "$1: a big answer" 20 "$(through "$2" "big.$1.test" TXT | texts)"
	same "$1: an alias" $truth "$(through "$2" "cname_ok_$1_test.$1-alias.test" A | tail -n 1)"
	same "$1: a name that does not exist" NXDOMAIN "$(status_of "$2" "nx.$1.test")"
	same "$1: a blocked name" NXDOMAIN "$(status_of "$2" blocked.test)"
	same "$1: what fails" SERVFAIL "$(status_of "$2" "fail.$1.test")"
}
status_of() { client kdig +timeout=4 @127.0.0.1 -p "$1" "$2" A | rcode_of; }
client ip link set lo up

if have dnsmasq; then
	client dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null --server=$service --port=5601 --user=root --pid-file= \
		--listen-address=127.0.0.1 --bind-interfaces --edns-packet-max=1232 --cache-size=100 >$conf/dnsmasq.log 2>&1 &
	served dnsmasq through 5601 ok.first.test A
	forwarder dnsmasq 5601
fi
if have unbound; then
	cat >$conf/unbound.conf <<-CONF
		server:
		  interface: 127.0.0.1@5602
		  username: ""
		  chroot: ""
		  directory: "$conf"
		  pidfile: ""
		  use-syslog: no
		  do-daemonize: no
		  module-config: "iterator"
		  do-not-query-localhost: no
		  num-threads: 1
		  qname-minimisation: yes
		  use-caps-for-id: yes
		  local-zone: test. nodefault
		remote-control:
		  control-enable: no
		forward-zone:
		  name: .
		  forward-addr: $service
	CONF
	client unbound -d -c $conf/unbound.conf >$conf/unbound.log 2>&1 &
	served unbound through 5602 ok.first.test A
	forwarder unbound 5602
	sed -i 's/  name: \./  name: .\n  forward-tcp-upstream: yes/; s/5602/5604/' $conf/unbound.conf
	client unbound -d -c $conf/unbound.conf >$conf/unbound.log 2>&1 &
	served "unbound that forwards over TCP" through 5604 ok.first.test A
	forwarder unbound 5604
fi
# Packages of Debian 13 have their files in /usr/lib alone.
for resolved in {,"$root/build/unpacked/systemd-resolved"}{/usr,}/lib/systemd/systemd-resolved; do
	[ ! -x "$resolved" ] || break
done
if [ -x "$resolved" ]; then
	cp /etc/passwd $conf/passwd && cp /etc/group $conf/group
	grep -q '^systemd-resolve:' $conf/passwd || echo 'systemd-resolve:x:0:0::/:/bin/false' >>$conf/passwd
	mount --bind $conf/passwd /etc/passwd
	mkdir -p /run/systemd/resolve
	printf '[Resolve]\nDNS=%s\nDNSSEC=no\nDNSOverTLS=no\nLLMNR=no\nMulticastDNS=no\nDomains=~.\nDNSStubListenerExtra=127.0.0.1:5603\n' \
		$service >$conf/resolved.conf
	mkdir -p /run/systemd/resolved.conf.d && cp $conf/resolved.conf /run/systemd/resolved.conf.d/weir.conf
	client "$resolved" >$conf/resolved.log 2>&1 &
	served systemd-resolved through 5603 ok.first.test A
	forwarder resolved 5603
else
	[ -z "${WEIR_INSTALLED-}" ] || check "systemd-resolved is unpacked" false
	echo "# no systemd-resolved here: its checks are left out"
fi

check "every frame has one verdict" verdicts_add_up
finish
