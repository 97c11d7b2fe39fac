#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Validation of what upstreams answer, with a signed tree of zones that are right and wrong in several ways: verdicts as
# unbound's, the error that says why, AD for who asked, CD, negative trust anchors, and no stale record for a bogus answer.
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
. "$(dirname "$0")/_init.sh"
. "$smoke_dir/rig/dnssec_zones.sh"

check "zones" tree_make
check "NSD" nsd_start
check "unbound" unbound_start
lab_up
cp $config $tmp/plain.yaml
anchors=$zones/anchor
server='address: 127.0.0.1:5303, name: nsd'
settings() { # settings DNSSEC_KEYS: the lab's configuration with these, and $server
	{
		sed '/^upstreams:/,/^[^ ]/{/^upstreams:/d;/^ /d}' $tmp/plain.yaml
		echo "upstreams: {servers: [{$server}]}"
		echo "dnssec: {anchors: $anchors, $1}"
	} >$config
	taken_over weirctl config reload
}
asks() { client kdig +timeout=8 +retry=1 @$service "$@"; }
flags_of() { asks "$@" | sed -n 's/^;; Flags: \([a-z ]*\);.*/\1/p'; }
has_ad() { grep -qw ad <<<"$(flags_of "$@")"; }
has_no_ad() { local flags; flags=$(flags_of "$@") && [ -n "$flags" ] && ! grep -qw ad <<<"$flags"; }
ede_of() { asks +edns "$@" | sed -n 's/.*EDE: \([0-9]*\).*/\1/p'; }
is_bogus() { [ "$(asks "$@" | rcode_of)" = SERVFAIL ]; }
validation() { resolver "validation.$1"; }
# logged NAME VALIDATION TIER: the query log has a row of it
logged() { weirctl --json log search --name "$1" --validation "$2" --limit 500 | jq -e --arg t "$3" 'any(.rows[]; .tier == $t)' >/dev/null; }

check "by default" settings 'validate: false'
same "nothing is validated" 192.0.2.9 "$(short www.badsig.alpha A)"
check "and nothing has AD" has_no_ad +adflag www.good.alpha A

server='address: 127.0.0.1:5302, name: unbound'
check "a server that validates" settings 'validate: false'
check "its AD is not passed on" has_no_ad +adflag www.good.alpha A
server+=', trust_ad: true'
check "unless it is trusted" settings 'validate: false'
for turn in fresh cached; do
	check "AD without DO, $turn" has_ad +adflag www.good.alpha A
	check "AD with DO, $turn" has_ad +dnssec www.good.alpha A
	check "over TCP, $turn" has_ad +tcp +adflag www.good.alpha A
	check "not for who did not ask, $turn" has_no_ad +noadflag www.good.alpha A
	check "not what it does not vouch for, $turn" has_no_ad +adflag www.unsigned.alpha A
	check "a blocked name has no AD, $turn" has_no_ad +adflag blocked.test A
done
same "nothing is validated" 0 "$(validation secure)"
check "logged as secure, by the server that is trusted" eventually logged www.good.alpha secure upstream
check "and from the cache" eventually logged www.good.alpha secure l0
check "not what it does not vouch for" eventually logged www.unsigned.alpha none l0
check "nor a blocked name" eventually logged blocked.test none rules

server='address: 127.0.0.1:5303, name: nsd, trust_ad: true'
check "validation" settings 'validate: true'
questions >$tmp/questions
$python "$smoke_dir/rig/dnssec_ask.py" 127.0.0.1 5302 counts <$tmp/questions >$tmp/unbound.txt
client $python "$smoke_dir/rig/dnssec_ask.py" $service 53 counts <$tmp/questions >$tmp/weir.txt
check "more than 300 answers" test "$(wc -l <$tmp/weir.txt)" -gt 300
check "those of unbound" diff $tmp/unbound.txt $tmp/weir.txt
check "some secure" test "$(grep -c ' AD ' $tmp/weir.txt)" -gt 80
check "some bogus" test "$(grep -c SERVFAIL $tmp/weir.txt)" -gt 80
check "some insecure" test "$(grep -c 'NOERROR -- A' $tmp/weir.txt)" -gt 10
client $python "$smoke_dir/rig/dnssec_ask.py" $service 53 counts <$tmp/questions >$tmp/again.txt
check "the same from the cache" diff $tmp/weir.txt $tmp/again.txt

check "counted: secure" test "$(validation secure)" -gt 40
check "insecure" test "$(validation insecure)" -gt 10
check "bogus" test "$(validation bogus)" -gt 40
same "none broken" 0 "$(validation broken)"
check "logged: secure" eventually logged www.nsec3.alpha secure upstream
check "from the cache" eventually logged www.nsec3.alpha secure l0
check "insecure" eventually logged www.nods.alpha insecure upstream
check "from the cache" eventually logged www.nods.alpha insecure l0
check "bogus" eventually logged www.badsig.alpha bogus none
same "nothing else of it" "none servfail bogus" "$(weirctl --json log search --name www.badsig.alpha --limit 500 |
	jq -r '[.rows[] | select(.qtype == "A" and .validation != "none") | "\(.tier) \(.verdict) \(.validation)"] | unique | join(",")')"
check "another bogus one" eventually logged www.expired.alpha bogus none
same "exported as CSV" bogus "$(weirctl log export --format csv --name www.expired.alpha | sed 's/.*,"\(.*\)"$/\1/' | sed 1d | sort -u)"
same "expired: EDE" 7 "$(ede_of www.expired.alpha A)"
same "not yet valid" 8 "$(ede_of www.early.alpha A)"
same "no key for the DS" 9 "$(ede_of www.wrongds.alpha A)"
same "bad signature" 6 "$(ede_of www.badsig.alpha A)"
check "with the reason" grep -q 'signature expired' <<<"$(asks +edns inside.expired.alpha AAAA)"

why=$(weirctl why inside.expired.alpha --type AAAA)
check "why says that it is bogus" grep -q '^not blocked: .* failed DNSSEC validation$' <<<"$why"
check "and the reason" grep -q 'extended error 7 (Signature Expired): .*signature expired' <<<"$why"
same "as JSON" 7 "$(weirctl --json why inside.expired.alpha --type AAAA | jq .bogus.extended_error)"
same "not of another name" null "$(weirctl --json why www.good.alpha | jq .bogus)"

check "AD without DO" has_ad +adflag www.good.alpha A
check "AD with DO" has_ad +dnssec www.good.alpha A
check "not for who did not ask" has_no_ad +noadflag www.good.alpha A
same "CD: the client validates" 192.0.2.9 "$(short +cdflag www.badsig.alpha A)"
check "logged as not validated" eventually logged www.badsig.alpha none upstream
check "without AD" has_no_ad +cdflag +adflag www.good.alpha A
check "a blocked name has no AD" has_no_ad +adflag blocked.test A
check "over TCP, too" has_ad +tcp +dnssec www.good.alpha A

check "a negative trust anchor" settings 'validate: true, negative_anchors: [badsig.alpha]'
same "is not validated" 192.0.2.9 "$(short www.badsig.alpha A)"
check "nor secure" has_no_ad +adflag www.badsig.alpha A
check "others are" is_bogus www.expired.alpha A

# The target of an alias is local: no server has a say in it, and the alias itself has to be proven.
local_target() {
	settings 'validate: true'
	sed -i 's/^local:$/&\n  records: [{name: www.badsig.alpha, type: A, value: 192.0.2.77}]/' $config
	taken_over weirctl config reload
}
check "a local name" local_target
same "behind a proven alias" "www.badsig.alpha. 192.0.2.77" "$(short to-bad.good.alpha A | xargs)"
check "without AD" has_no_ad +adflag to-bad.good.alpha A
check "not behind a bogus one" is_bogus to-bad.expired.alpha A
same "the validator follows neither" 2 "$(validation led)"

# A record without some of its parameters is not what its zone signed.
stripping() { settings 'validate: true' && sed -i 's/^blocking:$/&\n  https_strip: [ech]/' $config && taken_over weirctl config reload; }
check "the whole HTTPS record" eventually has_ad +dnssec www.good.alpha HTTPS
check "with its signature" grep -q '^HTTPS 13 ' <<<"$(short +dnssec www.good.alpha HTTPS)"
check "HTTPS records lose their ECH" stripping
for turn in fresh cached; do
	same "it has lost it, $turn" '1 . alpn=h2' "$(short +dnssec www.good.alpha HTTPS)"
	check "and AD with it, $turn" has_no_ad +dnssec www.good.alpha HTTPS
	check "over TCP, $turn" has_no_ad +tcp +adflag www.good.alpha HTTPS
done
check "not other records" has_ad +dnssec www.good.alpha A
check "nor is what is bogus let through" is_bogus www.expired.alpha HTTPS

# L1 keeps what was proven, for boxes that validate alike: this one, after a restart with an empty L0.
redis-server --port 6401 --bind 127.0.0.1 --save '' --appendonly no --dir $tmp >$tmp/redis.log &
redis=$!
l1_up() { [ "$(weirctl --json stats --interval 0 | jq -r .controlplane.redis.state)" = up ]; }
l1_has() { redis-cli -p 6401 --scan --pattern "weir:$1:*" | grep -q .; }
with_redis() {
	settings 'validate: true'
	printf 'redis:\n  mode: standalone\n  addresses: ["127.0.0.1:6401"]\n  timeout_ms: 5000\n  lookup_timeout_ms: 1000\n' >>$config
	taken_over weirctl config reload
}
check "Redis" with_redis
check "is up" eventually l1_up
check "a proven answer" has_ad +adflag www.nsec3.alpha A
check "and an insecure one" has_no_ad +adflag www.unsigned.alpha A
check "in L1" eventually l1_has www.nsec3.alpha
check "both" eventually l1_has www.unsigned.alpha
check "another L0" eval "$lab stop controlplane && rm '$(region 'l0.*')' && $lab start controlplane"
check "Redis again" eventually l1_up
check "proven still" eventually has_ad +adflag www.nsec3.alpha A
check "from L1" test "$(weirctl --json stats --interval 0 | jq .controlplane.l1.answers)" -ge 1
check "the insecure one" has_no_ad +adflag www.unsigned.alpha A
same "without the validator" 0 "$(($(validation secure) + $(validation insecure)))"
check "logged as secure" eventually logged www.nsec3.alpha secure l1
check "and insecure" eventually logged www.unsigned.alpha insecure l1

# The zone breaks while an answer of it is cached: no stale record takes the place of the bogus one.
sed -i 's/^\(www\.good\.alpha\.\)\([[:space:]]*\)300\(.*192\.0\.2\.1\)$/\1\21\3/' $zones/good.alpha.zone
nsd_stop
check "a short TTL" nsd_start
check "settings again" settings 'validate: true'
check "an answer" has_ad +adflag www.good.alpha A
sed -i 's/^\(www\.good\.alpha\..*\)192\.0\.2\.1$/\1192.0.2.9/' $zones/good.alpha.zone
nsd_stop
check "the zone breaks" nsd_start
check "SERVFAIL" eventually is_bogus www.good.alpha A
check "and so on" is_bogus www.good.alpha A
same "nothing stale" 0 "$(resolver answered_stale)"

check "off again" settings 'validate: false'
same "no validation" 192.0.2.9 "$(short www.good.alpha A)"
sed -i "s|anchors: .*, v|anchors: /nonexistent, v|; s/validate: false/validate: true/" $config
why=$(weirctl config check 2>&1)
same "no anchors: refused" 1 $?
check "said" grep -q 'dnssec.anchors.*cannot be read' <<<"$why"
kill $unbound $redis
nsd_stop
finish
