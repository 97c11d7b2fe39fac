#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# 300 broken configurations, applied one after the other under 2,000 queries a second, some of them misses: no answer is lost
# or another one, and each is refused in under a second with file, line and column, all errors at once.
. "$(dirname "$0")/_init.sh"

wanted=300 slowest=0 meant=0 several=0
# The socket is where the good file says.
ctl() { "$WEIR_BUILD/tools/ctl/weirctl" -c $tmp/plain.yaml "$@"; }
mkdir $tmp/broken
# refuse FILE: it is refused, in time, and says where
refuse() {
	local began=$(now_ms) took
	cp "$1" $config
	if ctl --json config apply >$tmp/refused.json 2>$tmp/refused.err; then
		echo "$1 is accepted"
		return 1
	fi
	took=$(($(now_ms) - began))
	[ $took -le $slowest ] || slowest=$took
	[ $took -lt $((1000 * patience)) ] || { echo "$1 took $took ms"; return 1; }
	jq -e --arg place "($config:" '.errors | length > 0 and
		all(.[]; (contains($place) and test(":[0-9]+:[0-9]+\\)")) or startswith("and "))' \
		$tmp/refused.json >/dev/null || { echo "$1:"; cat $tmp/refused.json; return 1; }
	! grep -q 'did you mean' $tmp/refused.json || meant=$((meant + 1))
	! jq -e '.errors | map(select(test(":[0-9]+:[0-9]+\\)"))) | length > 1' $tmp/refused.json >/dev/null || several=$((several + 1))
}
refuse_all() {
	local file
	for file in $tmp/broken/*.yaml; do refuse "$file" || return; done
}
broken_find() { # what a check accepts is not broken
	local file n=0
	$python "$smoke_dir/rig/broken_configs.py" $tmp/plain.yaml $tmp/broken 420 || return
	for file in $tmp/broken/*.yaml; do
		cp "$file" $config
		if [ $n -ge $wanted ] || weirctl config check >/dev/null 2>&1; then rm "$file"; else n=$((n + 1)); fi
	done
}
answers() { for name in ok-3000.cached.test blocked.test; do client kdig +short +timeout=2 +retry=1 @$service $name A; done; }
lost() { awk '/Queries lost/ { n += $3 } END { print n }' $tmp/load.out; }
rcodes() { sed -n 's/.*Response codes: *//p' "$1" | grep -oE '[A-Z]+' | sort -u | xargs; }
rates() { awk '/Queries per second/ { print int($4) }' $tmp/load.out; }
load() { while [ -e $tmp/loading ]; do client dnsperf -s $service -d $tmp/load.txt -Q 2000 -l 5; done >$tmp/load.out 2>&1; }

lab_up
cp $config $tmp/plain.yaml
check "broken configurations" broken_find
same "are there" $wanted "$(find $tmp/broken -name '*.yaml' | wc -l)"
cp $tmp/plain.yaml $config
before=$(answers)
# Of the names some are cached for 3,000 s, and some for a second.
{ for i in {1..50}; do echo "ok-3000.n$i.broken.test A"; done && for i in {1..5}; do echo "ok-1.n$i.broken.test A"; done &&
	echo blocked.test A; } >$tmp/load.txt
client dnsperf -s $service -d $tmp/load.txt -l 1 >$tmp/first.out 2>&1
check "they are answered" test -n "$(rcodes $tmp/first.out)"
asked_before=$(wc -l <$tmp/up.log)
: >$tmp/loading
load &
load=$!
said_lines=60 check "each is refused in under 1 s, with line and column" refuse_all
check "some with the word that was meant" test $meant -gt 5
check "some with several errors" test $several -gt 20
rm $tmp/loading
wait $load
check "the upstream was asked all the time" test $(($(wc -l <$tmp/up.log) - asked_before)) -gt 20
check "at 2,000 queries a second" test "$(rates | awk '{ n += $1 } END { print int(n / NR) }')" -gt 1800
same "no query was lost" 0 "$(lost)"
same "each was answered as before" "$(rcodes $tmp/first.out)" "$(rcodes $tmp/load.out)"
same "answers are as they were" "$before" "$(answers)"
same "no version was made" 1 "$(ctl --json config history | jq '.versions | length')"
echo "# the slowest took $slowest ms; $meant had a suggestion, $several had several errors; $(rates | xargs) queries a second"
cp $tmp/plain.yaml $config
check "a good one is taken" weirctl config reload
finish
