#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# All of blocking at once in a running lab: four formats of lists, groups by address and MAC with lists, entries, services,
# schedules and replies of their own, safe search; pause, rollback; `weirctl why` says what each client gets; and all of it
# goes on without the control plane.
. "$(dirname "$0")/_init.sh"
export TZ=Etc/GMT-9 # schedules go by local time: far from UTC, so that it shows

printf '0.0.0.0 hosts.ads.test # first\n127.0.0.1 a.shared.test b.shared.test\n' >$tmp/hosts
printf '! AdBlock\n||adb.test^\n@@||ok.adb.test^\n||must.ok.adb.test^$important\nexample.test##.ad\n|self.test|\n' >$tmp/adblock
printf '%s\n' '$TTL 60' '$ORIGIN rpz.zone.' '@ SOA localhost. root.localhost. 1 2 3 4 5' 'one.test CNAME .' \
	'*.below.test CNAME .' 'nodata.test CNAME *.' 'drop.test CNAME rpz-drop.' 'data.test A 192.0.2.5' \
	'pass.adb.test CNAME rpz-passthru.' >$tmp/rpz
printf 'address=/mas1.test/mas2.test/#\nlocal=/mas3.test/\n' >$tmp/dnsmasq
printf 'kids.test\n' >$tmp/kids
upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301 --list $tmp/hosts --list $tmp/adblock --list $tmp/rpz \
	--list $tmp/dnsmasq --list $tmp/kids
mac=02:00:5e:10:00:05
check "more clients" client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2)
	for n in 3 4 6 7; do ip addr add 198.18.0.$n/24 dev $dev || exit; done
	ip link add link $dev name card address '$mac' type macvlan mode bridge && ip addr add 198.18.0.5/32 dev card &&
	ip link set card up && ip rule add from 198.18.0.5 table 5 && ip route add 198.18.0.0/24 dev card table 5'
grep -v -e '^local:' -e test_names $config | awk '{ print }
	/^blocking:/ { print "  allow: [ok.hosts.ads.test]\n  deny: [denied.test, hard.ok.adb.test]" }' >$tmp/new.yaml
window() { echo "from: '$(date -d "$1" +%H:%M)', to: '$(date -d "$2" +%H:%M)'"; }
cat >>$tmp/new.yaml <<CONFIG
local:
  test_names: true
  records: [{name: nas.test, type: A, value: 192.168.7.10}, {name: nas.test, type: TXT, value: box}]
groups:
- name: kids
  clients: [198.18.0.3]
  lists: [hosts, kids]
  allow: [ok.kids.test]
  deny: [games.test]
  services: [signal]
  safe_search: {google: strict}
  block: {mode: address, ipv4: 198.18.99.99, ttl: 77}
  schedules:
  - {name: now, domains: [now.test], $(window "-1 hour" "+1 hour")}
  - {name: later, domains: [later.test], $(window "+3 hours" "+4 hours")}
- {name: zero, clients: [198.18.0.4], block: {mode: 'null'}}
- {name: refused, clients: [198.18.0.6], block: {mode: refused}}
- {name: nodata, clients: [198.18.0.7], block: {mode: nodata}}
- {name: card, clients: ['$mac'], lists: [kids]}
CONFIG
cp $tmp/new.yaml $config

# gets_all N NAME...: "NAME RESULT" for what the client 198.18.0.N gets: a code other than NOERROR, NODATA or the last
# address; of those that get no answer none.
gets_all() {
	local n=$1
	shift
	client kdig +timeout=1 +retry=0 -b 198.18.0.$n @$service $(printf '%s A ' "$@") 2>/dev/null | awk '
		function done() { if (name) print name, code != "NOERROR" ? code : address ? address : "NODATA"; name = "" }
		/status: / { done(); sub(/;.*/, "", $6); code = $6; address = "" }
		/^;; QUESTION/ { getline; name = substr($2, 1, length($2) - 1) }
		!/^;/ && $4 == "A" { address = $5 }
		END { done() }'
}
gets_answer() { gets_all "$@" | awk '{ print $2 }'; } # nothing in place of TIMEOUT, for `again`
# why_reply N NAME: the same by `weirctl why`; "answer" for what is not blocked, or by a rule with records of its own
why_reply() {
	local who=(--client 198.18.0.$1)
	[ "$1" = 5 ] && who+=(--mac $mac)
	weirctl --json why "$2" "${who[@]}" --type A | jq -r 'if .verdict == "dropped" then "TIMEOUT"
		elif (.reply.mode // "") | startswith("its records") then "answer"
		elif .verdict == "blocked" or .verdict == "blocked_answer" then .reply.mode else "answer" end'
}
open=198.18.200.1
# client, name, what it gets
table="
2 hosts.ads.test NXDOMAIN
2 x.hosts.ads.test NXDOMAIN
2 b.shared.test NXDOMAIN
2 x.ok.hosts.ads.test $open
2 adb.test NXDOMAIN
2 ok.adb.test $open
2 x.pass.adb.test NXDOMAIN
2 pass.adb.test $open
2 must.ok.adb.test NXDOMAIN
2 hard.ok.adb.test NXDOMAIN
2 self.test NXDOMAIN
2 x.self.test $open
2 example.test $open
2 one.test NXDOMAIN
2 x.one.test $open
2 below.test $open
2 x.below.test NXDOMAIN
2 nodata.test NODATA
2 drop.test TIMEOUT
2 data.test 192.0.2.5
2 x.mas2.test 0.0.0.0
2 mas3.test NXDOMAIN
2 denied.test NXDOMAIN
2 games.test $open
2 www.signal.org $open
2 now.test $open
2 nas.test 192.168.7.10
3 x.hosts.ads.test 198.18.99.99
3 ok.hosts.ads.test $open
3 kids.test 198.18.99.99
3 ok.kids.test $open
3 games.test 198.18.99.99
3 denied.test 198.18.99.99
3 adb.test $open
3 mas1.test $open
3 www.signal.org 198.18.99.99
3 now.test 198.18.99.99
3 later.test $open
3 nas.test 192.168.7.10
4 hosts.ads.test 0.0.0.0
6 hosts.ads.test REFUSED
7 hosts.ads.test NODATA
5 kids.test NXDOMAIN
5 adb.test $open
"
ask_table() { # ask_table WHEN WHY
	local n name want got
	for n in 2 3 4 5 6 7; do
		gets_all $n $(awk -v n=$n '$1 == n { print $2 }' <<<"$table") | sed "s/^/$n /"
	done >$tmp/got
	while read -r n name want; do
		[ -n "$n" ] || continue
		got=$(awk -v n=$n -v name=$name '$1 == n && $2 == name { print $3 }' $tmp/got)
		case $want:$got in TIMEOUT:*) ;; *: | *:SERVFAIL) got=$(again gets_answer $n $name </dev/null) ;; esac
		same "$1: client $n, $name" $want "${got:-TIMEOUT}"
		[ "$2" = why ] || continue
		case $want in $open | 192.*) want=answer ;; esac
		same "$1: and so says why" $want "$(why_reply $n $name)"
	done <<<"$table"
}
is() { [ "$(again gets_answer $1 $2)" = "$3" ]; }

check "the configuration" taken_over weirctl config reload
check "is activated" eventually is 5 kids.test NXDOMAIN
check "in all groups" eventually is 3 games.test 198.18.99.99
ask_table alive why
same "safe search for the group" "forcesafesearch.google.com. $open" "$(short -b 198.18.0.3 www.google.com A | xargs)"
same "and for nobody else" $open "$(short www.google.com A | xargs)"
same "the TTL of a group's reply" 77 "$(client kdig +noall +answer -b 198.18.0.3 @$service kids.test A | awk '{ print $2 }')"
same "why names list, rule and line" "adblock adb.test 2" "$(weirctl --json why x.adb.test --client 198.18.0.2 |
	jq -r '.rules[] | select(.state == "decides") | "\(.list) \(.name) \(.lines[0].line)"')"
same "and the schedule" 1 "$(weirctl why now.test --client 198.18.0.3 | head -1 | grep -c 'now')"

check "a pause" taken_over weirctl blocklist pause 5
check "everything passes" eventually is 2 hosts.ads.test $open
check "in groups too" is 3 kids.test $open
same "why says so" answer "$(why_reply 3 kids.test)"
same "local data stays" 192.168.7.10 "$(again gets_answer 2 nas.test)"
check "its end" weirctl blocklist resume
check "blocks again, what is cached too" eventually is 2 hosts.ads.test NXDOMAIN

sed -i 's/hosts.ads/other.ads/' $tmp/hosts
check "a changed list" taken_over weirctl blocklist reload
check "acts at once" is 2 hosts.ads.test $open
check "on cached names" is 2 other.ads.test NXDOMAIN
check "rollback" taken_over weirctl blocklist rollback
check "blocks as before" eventually is 2 hosts.ads.test NXDOMAIN
same "and no more" $open "$(again gets_answer 2 x.other.ads.test)"

"$lab" kill controlplane >/dev/null
ask_table "control plane dead" ""
same "safe search too" "forcesafesearch.google.com. $open" "$(short -b 198.18.0.3 www.google.com A | xargs)"
check "started again" "$lab" start controlplane
check "answers again" eventually is 2 ok-3000.again.test $open
check "every frame has one verdict" verdicts_add_up
finish
