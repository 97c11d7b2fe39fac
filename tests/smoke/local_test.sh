#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Local data in a running lab: each type of record, wildcards, zones, hosts files and special-use names, with and without
# the control plane; local CNAMEs and forwarding zones; what a changed configuration flushes.
. "$(dirname "$0")/_init.sh"

upstream 5302 $tmp/up2.log
lab_up
grep -v -e '^local:' -e 'test_names' $config >$tmp/plain.yaml
cat >$tmp/hosts <<'HOSTS'
127.0.0.1 localhost
192.168.7.20 web.lan web   # two names
fd00:7::20   web.lan
HOSTS
configure() { # configure TEXT: the lab's configuration with this, in force
	cat $tmp/plain.yaml - <<<"$1" >$config
	taken_over weirctl config reload
}
records='
  - {name: nas.lan, type: A, value: 192.168.7.10, ttl: 77}
  - {name: nas.lan, type: A, value: 192.168.7.11}
  - {name: nas.lan, type: AAAA, value: "fd00:7::10"}
  - {name: lan, type: MX, value: 10 nas.lan}
  - {name: _sip._udp.lan, type: SRV, value: 1 2 5060 nas.lan}
  - {name: text.lan, type: TXT, value: "v=x two words"}
  - {name: 10.7.168.192.in-addr.arpa, type: PTR, value: nas.lan}
  - {name: svc.lan, type: HTTPS, value: "1 . alpn=h2,h3 port=8443"}
  - {name: svc.lan, type: SVCB, value: 1 nas.lan alpn=dot}
  - {name: lan, type: CAA, value: 0 issue ca.example}
  - {name: www.lan, type: CNAME, value: Nas.lan}
  - {name: "*.apps.lan", type: A, value: 192.168.7.12}
  - {name: one.apps.lan, type: A, value: 192.168.7.13}'
base="local:
  test_names: true
  hosts_files: [$tmp/hosts]
  zones: [{name: lan}]
  records:$records
"
answers() { # what the data plane answers by itself
	local when=$1
	same "$when: A" "192.168.7.10 192.168.7.11" "$(short nas.lan A | sort | xargs)"
	same "$when: AAAA" fd00:7::10 "$(short nas.lan AAAA)"
	same "$when: MX" "10 nas.lan." "$(short lan MX)"
	same "$when: SRV" "1 2 5060 nas.lan." "$(short _sip._udp.lan SRV)"
	same "$when: TXT" '"v=x two words"' "$(short text.lan TXT)"
	same "$when: PTR" nas.lan. "$(short -x 192.168.7.10)"
	same "$when: HTTPS" 1 "$(short svc.lan TYPE65 | wc -l)"
	same "$when: SVCB" 1 "$(short svc.lan TYPE64 | wc -l)"
	same "$when: CAA" '0 issue "ca.example"' "$(short lan CAA | sed "s, *$,,")"
	same "$when: CNAME, and what it leads to" "Nas.lan. 192.168.7.10 192.168.7.11" "$(short www.lan A | sort | xargs |
		sed 's/\(.*\) \(Nas.lan.\)$/\2 \1/')"
	same "$when: wildcard" 192.168.7.12 "$(short a.b.apps.lan A)"
	same "$when: a name of its own beats it" 192.168.7.13 "$(short one.apps.lan A)"
	same "$when: another type: NODATA" "NOERROR 0" "$(status nas.lan TXT)"
	same "$when: nothing of that name" "NXDOMAIN 0" "$(status none.lan A)"
	same "$when: a name between" "NOERROR 0" "$(status apps.lan A)"
	same "$when: hosts file" "192.168.7.20 fd00:7::20" "$(short web.lan A) $(short web.lan AAAA)"
	same "$when: its PTR" web.lan. "$(short -x 192.168.7.20)"
	same "$when: IPv6 too" web.lan. "$(short -x fd00:7::20)"
	same "$when: localhost" "127.0.0.1 ::1" "$(short x.localhost A) $(short localhost AAAA)"
	same "$when: its PTR" localhost. "$(short -x 127.0.0.1)"
	for name in a.invalid a.onion a.local use-application-dns.net 1.2.3.10.in-addr.arpa x.home.arpa; do
		same "$when: $name" "NXDOMAIN 0" "$(status $name A)"
	done
	same "$when: resolver.arpa" "NOERROR 0" "$(status _dns.resolver.arpa TYPE64)"
}
status() { again status_now "$@"; } # rcode and number of answers
status_now() {
	client kdig +timeout=5 +retry=2 @$service "$@" |
		sed -n 's/.*status: \([A-Z]*\);.*/\1/p; s/.*ANSWER: \([0-9]*\);.*/\1/p' | xargs
}
asked() { up_log "$1" | grep -c " $2 1\$"; }
ttl() { again ttl_now "$@"; }
ttl_now() { client kdig +noall +answer +timeout=5 +retry=2 @$service "$1" A | awk '{print $2; exit}'; }

check "local data by a reload" configure "$base"
check "is there" eventually eval '[ -n "$(short nas.lan A)" ]'
answers "control plane alive"
same "the TTL of a record" 77 "$(ttl nas.lan | sort -n | head -1)"
same "none of it was asked of servers" 0 "$(up_log | grep -cE '\.(lan|arpa|onion|local|localhost|invalid) ')"
check "verdicts say so" test "$(dp verdict local)" -gt 30
"$lab" kill controlplane >/dev/null
answers "control plane dead"
check "started again" "$lab" start controlplane
check "answers again" eventually resolves ok-3000.again.test

zones="forward_zones:
- {name: corp.test, servers: [\"127.0.0.1:5302\"]}
- {name: 3.10.in-addr.arpa, servers: [\"127.0.0.1:5302\"]}
"
out='
  - {name: out.lan, type: CNAME, value: ok-3000.target.test}
  - {name: deep.lan, type: CNAME, value: ok-3000.www.corp.test}
  - {name: "*.star.lan", type: CNAME, value: out.lan}'
check "a CNAME to another's name, and a zone" configure "$base$out
$zones"
same "the name's target goes upstream" "ok-3000.target.test. 198.18.200.1" "$(short out.lan A | xargs)"
once=$(asked $tmp/up.log ok-3000.target.test) # 1, or more when the server was late
check "at a server" test $once -ge 1
same "then it is cached whole" "ok-3000.target.test. 198.18.200.1" "$(short out.lan A | xargs)"
same "without a query" $once "$(asked $tmp/up.log ok-3000.target.test)"
same "over two CNAMEs, by a wildcard" "out.lan. ok-3000.target.test. 198.18.200.1" "$(short x.star.lan A | xargs)"
same "the CNAME alone" ok-3000.target.test. "$(short out.lan CNAME)"
same "a name of the zone" 198.18.200.1 "$(short ok-3000.www.corp.test A)"
check "was asked of its server" test "$(asked $tmp/up2.log ok-3000.www.corp.test)" -ge 1
same "and of nobody else" 0 "$(asked $tmp/up.log ok-3000.www.corp.test)"
same "a CNAME into the zone" "ok-3000.www.corp.test. 198.18.200.1" "$(short deep.lan A | xargs)"
short ok-3000.3.10.in-addr.arpa A >/dev/null
check "a private reverse zone that is forwarded" test "$(asked $tmp/up2.log ok-3000.3.10.in-addr.arpa)" -ge 1
same "the others are not" "NXDOMAIN 0" "$(status ok-3000.4.10.in-addr.arpa A)"

check "the target and the zone's server changed" configure "$base${out/target/other}
${zones//5302/5301}"
is() { [ "$(short "$1" A | xargs)" = "$2" ]; }
check "the new target at once" eventually is out.lan "ok-3000.other.test. 198.18.200.1"
check "also behind a CNAME that stayed" eventually is x.star.lan "out.lan. ok-3000.other.test. 198.18.200.1"
check "the zone's new server gets the query at once" eventually eval \
	'short ok-3000.www.corp.test A >/dev/null; [ "$(asked $tmp/up.log ok-3000.www.corp.test)" -ge 1 ]'
check "the log says nothing of failed flushes" eval '! grep -q "changed name not flushed" /run/weir/lab/controlplane.log'

check "a group with its own" configure "$base
groups:
- name: kids
  clients: [198.18.0.3/32]
  local_records: [{name: nas.lan, type: A, value: 192.168.9.9}, {name: own.lan, type: CNAME, value: ok-3000.kids.test}]
"
check "one more client" client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2) &&
	ip addr add 198.18.0.3/24 dev $dev'
kids() { short -b 198.18.0.3 "$@" | xargs; }
check "it has its own" eventually eval '[ "$(kids nas.lan A)" = 192.168.9.9 ]'
same "and everyone's CNAME to it" "Nas.lan. 192.168.9.9" "$(kids www.lan A)"
same "and its own CNAME" "ok-3000.kids.test. 198.18.200.1" "$(kids own.lan A)"
same "the rest is everyone's" 192.168.7.12 "$(kids a.apps.lan A)"
same "which has not its own" "NXDOMAIN 0" "$(status own.lan A)"

echo '192.168.7.21 new.lan' >>$tmp/hosts
check "a changed hosts file" weirctl config reload
check "takes effect" eventually eval '[ "$(short new.lan A)" = 192.168.7.21 ]'
check "no local data" configure 'local: {special_names: false, doh_canary: false}'
check "is nobody's" eventually eval '[ "$(status ok-3000.nas.lan A)" = "NOERROR 1" ]'
check "every frame has one verdict" verdicts_add_up
finish
