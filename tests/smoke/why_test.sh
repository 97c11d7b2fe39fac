#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# weirctl why against what clients get: its verdict, reply and line for two clients in different groups, for names of
# each class of rules, with pauses, a rollback and a changed list; rulec why of the same lists.
. "$(dirname "$0")/_init.sh"

upstream 5301 $tmp/up.log
ads=$tmp/ads.list fine=$tmp/fine.list nets=$tmp/nets.list
cat >$ads <<'LIST'
! names to block
||ads.test^
0.0.0.0 tracker.test
||important.test^$important
||typed.test^$dnstype=AAAA
||wide.test^$denyallow=ok.wide.test
||kids.test^$client=kids
/^ok-7[0-9]+\./
LIST
cat >$fine <<'LIST'
ok-1.ads.test
important.test
LIST
cat >$nets <<'LIST'
$TTL 60
@ SOA localhost. root.localhost. 1 3600 900 604800 60
24.0.1.19.198.rpz-ip CNAME .
LIST
must "up" "$lab" up --upstream 127.0.0.1:5301 --list $ads --list $fine --list $nets
dev="ip -o -4 addr show to 198.18.0.2"
check "three more clients" client bash -c "dev=\$($dev | cut -d' ' -f2) &&
	ip addr add 198.18.0.3/24 dev \$dev && ip addr add 198.18.0.4/24 dev \$dev && ip addr add 198.18.0.5/24 dev \$dev"
sed -i -e "s|^\( *\)path: .$fine.|&\n\1allow: true|" \
	-e 's|^blocking:|&\n  deny: [denied.test, ok-1.deep.allowed.test]\n  allow: [allowed.test]|' $config
cat >>$config <<CONFIG
groups:
- name: kids
  clients: [198.18.0.3/32]
  deny: [homework.test]
  safe_search: {all: true}
  schedules: [{name: always, from: "00:00", to: "24:00", domains: [ok-1.timed.test]}]
- {name: asleep, clients: [198.18.0.5], schedules: [{name: night, from: "00:00", to: "24:00", block_all: true}]}
- {name: strict, clients: [198.18.0.4/32], lists: [ads.list], block: {mode: "null", ttl: 77}}
CONFIG
check "the configuration takes effect" taken_over weirctl config reload

# What a client gets, in one word: "NXDOMAIN", "0.0.0.0", "resolved" ...
gets() { # gets CLIENT NAME TYPE
	local out
	out=$(again client kdig +timeout=5 +retry=2 -b "$1" @$service "$2" "$3")
	case $out in
	*'198.18.200.1'* | *'198.19.'* | *'fd53:'*) echo resolved ;;
	*'0.0.0.0'*) echo 0.0.0.0 ;;
	*) rcode_of <<<"$out" ;;
	esac
}
why() { weirctl --json why "$2" --client "$1" --type "$3" | jq -r "$4"; }
# What a client ought to get by the explanation.
explained() {
	why "$1" "$2" "$3" 'if .reply then .reply.mode else "resolved" end'
}
# Workers take a new image over within some milliseconds.
agrees() { [ "$(gets "$@")" = "$(explained "$@")" ]; }
agree() { eventually agrees "$@"; same "$2 $3 for $1: why and the client say the same" "$(gets "$@")" "$(explained "$@")"; }
for who in 198.18.0.2 198.18.0.3 198.18.0.4 198.18.0.5; do
	for name in ok-1.plain.test ok-1.ads.test x.ads.test tracker.test important.test ok-1.typed.test \
		ok-1.wide.test ok-1.ok.wide.test ok-1.kids.test ok-77.other.test denied.test ok-1.allowed.test \
		ok-1.deep.allowed.test ok-1.homework.test ok-1.timed.test; do
		agree $who $name A
	done
	same "typed.test AAAA for $who is blocked" blocked "$(why $who ok-1.typed.test AAAA .verdict)"
	[ "$(gets $who ok-1.typed.test AAAA)" = resolved ] && same "and for the client" blocked resolved
done

same "everyone: allowed by the other list" 'allowed by list fine.list: ok-1.ads.test (line 1)' \
	"$(why 198.18.0.2 ok-1.ads.test A .headline)"
same "strict has not that list" 'blocked by list ads.list: ||ads.test^ (line 2)' \
	"$(why 198.18.0.4 ok-1.ads.test A .headline)"
same "its reply" '0.0.0.0 77 15' \
	"$(why 198.18.0.4 x.ads.test A '"\(.reply.mode) \(.reply.ttl) \(.reply.extended_error)"')"
same "a hosts line" 3 "$(why 198.18.0.2 tracker.test A '.rules[0].lines[0].line')"
same "important beats allow" important_block "$(why 198.18.0.2 important.test A '.rules[] | select(.state == "decides").class')"
same "without it the next rule decides" allowed "$(why 198.18.0.2 important.test A .without_it)"
same "an exception of the same list" excepted "$(why 198.18.0.2 ok-1.ok.wide.test A '.rules[] | select(.class == "block").state')"
same "a rule for one group" 'kids blocked' "$(why 198.18.0.3 ok-1.kids.test A '"\(.client.group) \(.verdict)"')"
same "is no rule of another" passed "$(why 198.18.0.4 ok-1.kids.test A .verdict)"
same "a pattern, with its line" 'blocked by list ads.list: /^ok-7[0-9]+\./ (line 8)' \
	"$(why 198.18.0.2 ok-77.other.test A .headline)"
same "a schedule's entry" 'true blocked' \
	"$(why 198.18.0.3 ok-1.timed.test A '"\(.client.schedule | startswith("schedule always")) \(.verdict)"')"
same "a schedule that blocks all" 'blocked by a schedule: all but what is allowed' \
	"$(why 198.18.0.5 ok-1.plain.test A .headline)"
same "safe search for one group" 'true false' \
	"$(why 198.18.0.3 www.bing.com A .safe_search) $(why 198.18.0.4 www.bing.com A .safe_search)"
agree 198.18.0.2 n300.test A
gets 198.18.0.4 n301.test A >/dev/null
same "an answer with a listed address" 'blocked_answer NXDOMAIN 3' \
	"$(why 198.18.0.2 n300.test A '"\(.verdict) \(.reply.mode) \(.rules[0].lines[0].line)"')"
same "which the other group has not" passed "$(why 198.18.0.4 n301.test A .verdict)"
same "nor before it is cached" passed "$(why 198.18.0.2 n302.test A .verdict)"
same "for a person: the headline first" 'blocked by list ads.list: ||ads.test^ (line 2)' \
	"$(weirctl why x.ads.test --group strict | head -1)"
same "offline the same" 'blocked by list ads.list: ||ads.test^ (line 2)' \
	"$("$WEIR_BUILD/tools/rule/rulec" why -t ads.list -l $ads x.ads.test | head -1)"

check "a pause of one group" taken_over weirctl blocklist pause 5 --group strict
for who in 198.18.0.2 198.18.0.4; do agree $who x.ads.test A; done
same "status tells" strict "$(weirctl --json blocklist status | jq -r '.paused_groups[].group')"
check "its end" taken_over weirctl blocklist resume --group strict
check "a pause of all" taken_over weirctl blocklist pause 1
resolved() { [ "$(gets 198.18.0.4 ok-1.x.ads.test A)" = resolved ]; }
check "nothing is blocked" eventually resolved
agree 198.18.0.4 ok-1.x.ads.test A
same "why says so" 'not blocked now: blocking is paused' "$(why 198.18.0.4 ok-1.x.ads.test A .headline)"
check "its end" taken_over weirctl blocklist resume
check "again: refused, there is no pause" bash -c "! '$WEIR_BUILD/tools/ctl/weirctl' -c $config blocklist resume"

printf '# one line more\n||new.test^\n' >>$ads
sed -i 1d $ads
same "a list that was changed: why says that lines may be others" 1 \
	"$(weirctl why x.ads.test | grep -c 'changed since it was loaded')"
check "reload" taken_over weirctl blocklist reload
same "its line now" 1 "$(why 198.18.0.2 x.ads.test A '.rules[] | select(.state == "decides").lines[0].line')"
agree 198.18.0.2 x.new.test A
check "rollback" taken_over weirctl blocklist rollback
agree 198.18.0.2 ok-1.new.test A
same "the image before has not that name" passed "$(why 198.18.0.2 ok-1.new.test A .verdict)"
check "status says that it is held" grep -q '^rolled back' <<<"$(weirctl blocklist status)"
check "until the next reload" taken_over weirctl blocklist reload
agree 198.18.0.2 ok-1.new.test A
check "every frame has one verdict" verdicts_add_up
finish
