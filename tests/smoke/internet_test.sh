#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A private Internet of some 270 signed zones, right ones and ones that are broken in every way: rcode, AD and records of
# weir's answers, as a validating forwarder and from the root, are those of unbound and BIND, and Extended DNS Errors are those
# meant. Then what recursion makes of proven NSEC records (RFC 8198), and of a flush.
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
. "$(dirname "$0")/_init.sh"
. "$smoke_dir/rig/internet.sh"

ask() { $python "$smoke_dir/rig/dnssec_ask.py" "$@"; }
check "zones" $python "$smoke_dir/rig/internet_make.py" $zones
check "their servers" servers_start 1 2 3 4 5 6 7
check "more than 200 zones" test "$(cat $zones/ns[1-5].list | wc -l)" -gt 200
check "more than 2,000 questions" test "$(wc -l <$zones/questions)" -gt 2000
check "errors meant for more than 100" test "$(wc -l <$zones/intended)" -gt 100
check "BIND" named_start 5303
ask 127.0.0.1 5303 128 <$zones/questions >$zones/bind & # it waits, mostly
asks_bind=$!
check "unbound" unbound_start 5302 "validator iterator"
check "unbound without validation" unbound_start 5304 iterator
lab_up
cp $config $tmp/plain.yaml
# compared FILE: asks again for what differs, as a busy machine may make a resolver give up; weir only for what it had no answer
# to, so that none of its wrong answers is replaced.
compared() {
	local turn
	for turn in 1 2 3; do
		$python "$smoke_dir/rig/internet_judge.py" $zones/unbound $zones/bind "$1" >$zones/differ
		case $?.$turn in 0.*) return ;; 1.[12]) ;; *) return 1 ;; esac
		again_from 127.0.0.1 5302 $zones/unbound <$zones/differ && again_from 127.0.0.1 5303 $zones/bind <$zones/differ &&
			lines_of $zones/differ '$2 == "SERVFAIL" || $2 == "no answer"' "$1" | again_from weir 53 "$1"
	done
}
# lines_of QUESTIONS CONDITION FILE: questions whose lines in FILE are such
lines_of() { awk -F '\t' "NR == FNR { of[\$1]; next } \$1 in of && ($2) { print \$1 }" "$1" "$3"; }
# again_from ADDRESS PORT FILE: asks the questions of standard input, and replaces their lines in FILE
again_from() {
	local address=$1 in=
	[ $address != weir ] || { address=$service in=client; }
	$in $python "$smoke_dir/rig/dnssec_ask.py" $address "$2" >$zones/new &&
		awk -F '\t' 'FILENAME == ARGV[1] { new[$1] = $0; next } { print $1 in new ? new[$1] : $0 }' $zones/new "$3" >$zones/merged && mv $zones/merged "$3"
}
# intended FILE: the broken zones with another error than the one that is meant
intended() {
	awk -F '\t' 'NR == FNR { split($1, part, " "); meant[part[1] " " part[2]] = part[3] " " part[4]; next }
		$1 in meant { got = $2 == "SERVFAIL" ? "bogus " $4 : ($3 == "AD" ? "secure -" : "insecure -")
			if (got !~ "^" meant[$1] "$") print $1 ": " got ", meant: " meant[$1] }' $zones/intended "$1"
}
# timeouts_again FILE: a broken zone's error may be 22 or 23, of a server that was too slow on a busy machine, or of one that recursion
# does not ask for a while, since the zone's NS records are bogus and were asked for at the same time. Without what it knows it asks.
timeouts_again() {
	intended "$1" | sed 's/: .*//' >$zones/other
	weirctl cache flush --all >/dev/null
	lines_of $zones/other '$2 == "no answer" || $4 ~ /(^|,)2[23](,|$)/' "$1" | again_from weir 53 "$1"
}
ask 127.0.0.1 5302 <$zones/questions >$zones/unbound
check "a validating forwarder" settings "servers: [{address: 127.0.0.1:5304, name: unbound}]"
client $python "$smoke_dir/rig/dnssec_ask.py" $service 53 <$zones/questions >$zones/forward
check "from the root" settings "mode: recursive"
client $python "$smoke_dir/rig/dnssec_ask.py" $service 53 <$zones/questions >$zones/recursive
wait $asks_bind
for mode in forward recursive; do
	check "$mode: answers and verdicts of unbound and BIND" compared $zones/$mode
	timeouts_again $zones/$mode
	same "$mode: the errors meant" "" "$(intended $zones/$mode)"
	check "$mode: some secure" test "$(grep -c $'\tAD\t' $zones/$mode)" -gt 800
	check "$mode: some bogus" test "$(grep -c SERVFAIL $zones/$mode)" -gt 500
	check "$mode: some insecure" test "$(grep -c $'NOERROR\t-' $zones/$mode)" -gt 300
done

# Random names below a signed zone: once their NSEC records are proven nothing leaves for its server.
names() { for i in $(seq "$1"); do echo "r$RANDOM-$i.$2 A"; done; } # names COUNT ZONE
nxdomains() { # nxdomains COUNT ZONE: answers of weir to so many random names
	names "$1" "$2" | client $python "$smoke_dir/rig/dnssec_ask.py" $service 53 | grep -c $'NXDOMAIN\tAD'
}
asked() { # nothing if one of them has no count
	local one other
	one=$(server_queries 3) other=$(server_queries 4)
	[ -n "$one" ] && [ -n "$other" ] && echo $((one + other))
}
same "random names" 100 "$(nxdomains 100 ok14.alpha.)"
before=$(asked)
check "their servers count queries" test "${before:-0}" -gt 0
same "more of them" 100 "$(nxdomains 100 ok14.alpha.)"
more=$(($(asked) - ${before:-0}))
check "come from what is proven" test $more -ge 0 -a $more -lt 10

# A zone of which one server is right, and another one is not.
for i in 0 1 2 3 4 5 6 7; do echo "w$i.half.alpha. A"; done |
	client $python "$smoke_dir/rig/dnssec_ask.py" $service 53 >$tmp/half
same "a wrong server beside a right one" 8 "$(grep -c $'NOERROR\tAD\t.* A 192\.0\.2\.1 ' $tmp/half)"

# The next answer to a name that was flushed is its server's.
address_of() { kdig +short +timeout=2 @198.18.210.3 www.plain.alpha A; kdig +short +timeout=2 @198.18.210.4 www.plain.alpha A; }
same "a name" 192.0.2.1 "$(short www.plain.alpha A)"
sed -i 's/^\(www\.plain\.alpha\. .* A \)192\.0\.2\.1$/\1192.0.2.8/' $zones/plain.alpha.zone
for i in 3 4; do nsd-control -c $zones/nsd.$i.conf reload >/dev/null; done
check "its address changes" eventually eval '[ "$(address_of)" = 192.0.2.8 ]'
check "a flush of it" weirctl cache flush www.plain.alpha
same "gives the other address" 192.0.2.8 "$(short www.plain.alpha A)"
internet_stop
finish
