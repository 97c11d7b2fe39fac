#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# 300 broken configurations, applied one after the other under 2,000 queries a second, some of them misses: no answer is lost
# or another one, and each is refused in under a second with file, line and column, all errors at once. A third of them are
# of an included file, which is named.
. "$(dirname "$0")/_init.sh"

wanted=300
part=${config%/*}/conf.d/part.yaml
# The socket is where the good file says.
ctl() { "$WEIR_BUILD/tools/ctl/weirctl" -c $tmp/lab.yaml "$@"; }
mkdir $tmp/broken
drive() { $python "$smoke_dir/rig/broken_drive.py" "$@"; }
files=("$config" "$part" "$tmp/plain.yaml" "$tmp/part.yaml")
broken_find() { # what a check accepts is not broken
	$python "$smoke_dir/rig/broken_configs.py" $tmp/plain.yaml $tmp/part.yaml $tmp/broken 450 &&
		drive find $tmp/broken $wanted "${files[@]}" "$WEIR_BUILD/tools/ctl/weirctl" -c "$config" config check
}
refuse_all() {
	drive refuse $tmp/broken "${files[@]}" "$WEIR_BUILD/tools/ctl/weirctl" -c $tmp/lab.yaml --json config apply >$tmp/refused || { cat $tmp/refused && return 1; }
}
# refuse FILE: an apply of it, or of a part if it is one, which is refused
refuse() {
	cp $tmp/plain.yaml $config && cp $tmp/part.yaml $part
	case $1 in *.part) cp "$1" $part ;; *) cp "$1" $config ;; esac
	! ctl --json config apply >$tmp/refused.json 2>$tmp/refused.err || { echo "$1 is accepted" && return 1; }
}
# all_at_once FILE ERROR...: one apply names each of these errors, and no other one
all_at_once() {
	local want
	refuse "$1" || return
	shift
	for want; do jq -e --arg want "$want" 'any(.errors[]; contains($want))' $tmp/refused.json >/dev/null || echo "not $want"; done
	[ "$(jq '.errors | length' $tmp/refused.json)" = $# ] || jq -r '.errors[]' $tmp/refused.json
}
answers() { for name in ok-3000.cached.test blocked.test; do client kdig +short +timeout=2 +retry=1 @$service $name A; done; }
lost() { awk '/Queries lost/ { n += $3 } END { print n }' $tmp/load.out; }
rcodes() { sed -n 's/.*Response codes: *//p' "$1" | grep -oE '[A-Z]+' | sort -u | xargs; }
rates() { awk '/Queries per second/ { print int($4) }' $tmp/load.out; }
load() { while [ -e $tmp/loading ]; do client dnsperf -s $service -d $tmp/load.txt -Q 2000 -l 5; done >$tmp/load.out 2>&1; }

lab_up
cp $config $tmp/lab.yaml
mkdir ${part%/*}
{ echo 'include: [conf.d/*.yaml]' && cat $config; } >$tmp/plain.yaml
cat >$tmp/part.yaml <<-EOF
	groups:
	- name: kids
	  clients: [192.0.2.0/24]
	  services: [tiktok]
	  block: {mode: nxdomain, ttl: 30}
	local:
	  zones: [{name: part.test}]
	  records:
	  - {name: box.part.test, type: A, value: 192.0.2.1}
	forward_zones:
	- name: corp.part.test
	  servers: [192.0.2.53]
	client_names:
	  usual_files: false
	  ptr_servers: [192.0.2.54]
EOF
cp $tmp/plain.yaml $config && cp $tmp/part.yaml $part
check "a good one with an included file" weirctl config reload
versions() { ctl --json config history | jq '.versions | length'; }
versions_before=$(versions)
check "broken configurations" broken_find
same "are there" $wanted "$(find $tmp/broken -type f | wc -l)"
cp $tmp/plain.yaml $config && cp $tmp/part.yaml $part
before=$(answers)
# Of the names some are cached for 3,000 s, and some for a second.
{ for i in {1..50}; do echo "ok-3000.n$i.broken.test A"; done && for i in {1..5}; do echo "ok-1.n$i.broken.test A"; done &&
	echo blocked.test A; } >$tmp/load.txt
client dnsperf -s $service -d $tmp/load.txt -n 1 >$tmp/first.out 2>&1
check "they are answered" test -n "$(rcodes $tmp/first.out)"
asked_before=$(wc -l <$tmp/up.log)
: >$tmp/loading
load &
load=$!
said_lines=60 check "each is refused in under 1 s, with line and column" refuse_all
read -r meant several parts slowest <$tmp/refused
check "some with the word that was meant" test $meant -gt 50
check "some with several errors" test $several -gt 25
check "some of an included file, which is named" test $parts -gt 80
# Errors that do not follow from each other, in both files.
{ cat $tmp/plain.yaml && echo 'cookies: {secrets: [x, y]}' && echo 'proxy_protocol: {from: [z]}' && echo 'runtme: {}' &&
	echo 'refresh: {hit_window: 30, sweep_interval: 31}' && echo 'redis: {namespace: a b}'; } >$tmp/many.yaml
cp $tmp/part.yaml $tmp/part.good
sed -i 's/box.part/a..b/; s/nxdomain, ttl: 30/nxdomian, ttl: 0/; s/192.0.2.54/x/' $tmp/part.yaml
same "all errors of both files" "" "$(all_at_once $tmp/many.yaml 'cookies.secrets[0]' 'cookies.secrets[1]' 'proxy_protocol.from[0]' runtme \
	refresh.sweep_interval redis.namespace block.mode block.ttl 'local.records "a..b.test": name' 'ptr_servers[0]')"
# What the machine lacks, and certificates that are not there.
cp $tmp/part.good $tmp/part.yaml
{ cat $tmp/part.good && echo 'control: {certificates: [{cert: /nowhere.pem, key: /nowhere.key}]}'; } >$tmp/certificate.part
sed 's/^runtime:/&\n  group: no-such-group/' $tmp/plain.yaml >$tmp/machine.yaml
same "a group that the machine lacks" "" "$(all_at_once $tmp/machine.yaml 'runtime.group: this machine has no group')"
same "a certificate that is not there" "" "$(all_at_once $tmp/certificate.part 'control.certificates[0]: /nowhere.pem: no such file')"
rm $tmp/loading
wait $load
check "the upstream was asked all the time" test $(($(wc -l <$tmp/up.log) - asked_before)) -gt 20
if judges_speed; then
	check "each refusal within a second" test "$slowest" -lt $((1000 * patience))
	check "at 2,000 queries a second" test "$(rates | awk '{ n += $1 } END { print int(n / NR) }')" -gt 1800
fi
same "no query was lost" 0 "$(lost)"
same "each was answered as before" "$(rcodes $tmp/first.out)" "$(rcodes $tmp/load.out)"
same "answers are as they were" "$before" "$(answers)"
same "no version was made" "$versions_before" "$(versions)"
echo "# $meant had a suggestion, $several had several errors, $parts were of an included file; $(rates | xargs) queries a second"
cp $tmp/plain.yaml $config && cp $tmp/part.yaml $part
check "a good one is taken" weirctl config reload
finish
