#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Events of the real processes: what a stream of server-sent events and weirctl show of a reload, a refused one, a list that
# changes and one that fails, an upstream server that is down and drained, and a data plane that comes and goes.
. "$(dirname "$0")/_init.sh"

events() { curl -sf --unix-socket /run/weir/control.sock "http://weir/events?follow=0${1:+&after=$1}"; }
newest() { events | jq .newest; }
# has AFTER FILTER: an event behind that number for which the filter of jq is true
has() { events "$1" | jq -e "[.events[] | select($2)] | length > 0"; }
seen() { eventually has "$@"; }

lab_up
check "the start is an event" seen 0 '.kind == "process_started" and .fields.process == "controlplane" and .severity == "info"'
check "the data plane came" seen 0 '.kind == "dataplane_came" and (.fields.incarnation | length) == 16'
curl -sN --unix-socket /run/weir/control.sock http://weir/events >$tmp/stream &
reader=$!
weirctl --json events --follow >$tmp/followed &
check "a stream begins" eventually grep -q '^event: process_started' $tmp/stream

from=$(newest)
check "a reload" taken_over weirctl config reload
check "is an event" seen $from '.kind == "config_reloaded" and .severity == "info" and .text == "configuration reloaded"'
check "in the stream too" eventually grep -q '^event: config_reloaded' $tmp/stream
check "and for who follows" eventually grep -q '"kind": *"config_reloaded"' $tmp/followed
same "without control.listen nobody listens on TCP" "" "$(ss -Hltn 'sport = :9953')"
check "which weirctl finds when it waits" weirctl wait event config_reloaded --since $from
check "not what has not happened" eval '! weirctl wait event config_refused --since $from --for 0s 2>$tmp/err && grep -q "^weirctl: not met after" $tmp/err'
check "generations are in use" weirctl wait generations
check "a counter is so high" weirctl wait counter stats.dataplane.counters.rx_frames '>=' 1
check "another is not there" eval '! weirctl wait counter stats.dataplane.counters.rx_frame ">" 0 --for 0s 2>$tmp/err &&
	grep -q "no such key: rx_frame; did you mean rx_frames?" $tmp/err'
cp $config $tmp/plain.yaml
echo 'nonsense: 1' >>$config
check "a wrong file is refused" eval '! weirctl config reload'
check "which is an event with the reason" seen $from \
	'.kind == "config_refused" and .severity == "error" and (.fields.why | contains("nonsense"))'
check "and an alarm" seen $from '.kind == "alarm_raised" and .fields.alarm == "reload"'
human() { weirctl --json ready --for human | jq -e "$1"; }
check "people learn its begin and what to do" human '[.reasons[] | select(.id == "reload" and .severity == "warning")][0] |
	(.begin_unix_ms / 1000 > now - 30) and (.advice | startswith("Correct the file"))'
check "in words" eval 'weirctl ready --for human | grep -q "    Correct the file as the text says"'
check "a metric has its id" eval 'weirctl metrics | grep -qx "weir_reason{id=\"reload\"} 1"'
cp $tmp/plain.yaml $config
check "the file is right again" taken_over weirctl config reload
check "the alarm is over" seen $from '.kind == "alarm_over" and .fields.alarm == "reload" and (.text | startswith("over after "))'
check "people learn that it was" human '.ended[0] | .id == "reload" and .end_unix_ms > .begin_unix_ms'

from=$(newest)
ready() { curl -s -o $tmp/ready.json -w '%{http_code}' --unix-socket /run/weir/control.sock "http://weir/ready$1"; }
same "a balancer may send queries" 200 "$(ready '?for=balancer')"
same "an anycast route waits for a stable time" "503 false true" \
	"$(ready '?for=anycast') $(jq -r '"\(.anycast.announced) \(.anycast.back_in_ms > 0)"' $tmp/ready.json)"
same "another profile is refused" 400 "$(ready '?for=robots')"
check "by weirctl, too" eval '! weirctl ready --for robots 2>$tmp/err && grep -q "must be balancer, anycast or human" $tmp/err'
check "weirctl says when the route is announced" eval 'weirctl ready --for human | grep -Eq "^anycast: withdrawn, for .* more of answers$"'
check "the box is drained" weirctl drain
same "which a balancer sees at once" "503 drained" "$(ready '?for=balancer') $(jq -r '.reasons[0].id' $tmp/ready.json)"
check "and weirctl" eval '! weirctl ready && weirctl status | grep -q "^DRAINED "'
check "status begins with it, and with what to do" eval 'weirctl status | sed -n 3,5p | grep -A2 "^PROBLEMS" | grep -q "weirctl undrain"'
check "on a terminal in one screen" eval 'script -qec "stty cols 80 rows 24; \"$WEIR_BUILD/tools/ctl/weirctl\" -c $config status" /dev/null >$tmp/screen; [ "$(wc -l <$tmp/screen)" -le 24 ]'
check "of 80 columns" eval '[ "$(tr -d "\\r" <$tmp/screen | wc -L)" -le 80 ]'
check "which is an event" seen $from '.kind == "alarm_raised" and .fields.alarm == "drained" and .severity == "info"'
same "clients get answers" 198.18.200.1 "$(short ok-1.back.test A)"
check "and a wait" weirctl wait drained
weirctl wait ready >$tmp/waited &
waiter=$!
check "it is undrained" weirctl undrain
check "which ends a wait" wait $waiter
same "which is seen at once" 200 "$(ready '')"

from=$(newest)
mkdir $tmp/lists
echo fetched.test >$tmp/lists/one.list
(cd $tmp/lists && exec $python -m http.server --bind 127.0.0.1 8099 >/dev/null 2>&1) &
server=$!
check "a server of lists" eventually eval "ss -Hltn 'sport = :8099' | grep -q ."
awk '{ print } /^blocking:/ { print "  update: {allow_private: true, timeout: 5, interval: 0}" }
	/^  lists:/ { print "    - {url: \"http://127.0.0.1:8099/one.list\", name: one}" }' $tmp/plain.yaml >$config
weirctl config reload >$tmp/reload.out 2>&1
check "a list that is fetched is an event" seen $from \
	'.kind == "list_changed" and .fields.list == "one" and .fields.bytes == "13" and (.fields.url | endswith("one.list"))'
check "weirctl waits for it" weirctl wait list one
rm $tmp/lists/one.list
weirctl blocklist reload >/dev/null 2>&1
check "one that is gone fails" seen $from '.kind == "list_failed" and .fields.list == "one" and (.fields.why | contains("404"))'
check "which is an alarm" seen $from '.kind == "alarm_raised" and .fields.alarm == "lists"'
check "and no list to wait for" eval '! weirctl wait list one --for 50ms 2>$tmp/err && grep -q "one: .*404" $tmp/err'
kill $server
mv $list $list.away
weirctl blocklist reload >/dev/null 2>&1
check "a file that is gone fails" seen $from ".kind == \"list_failed\" and .fields.path == \"$list\""
mv $list.away $list

from=$(newest)
check "a server is drained" weirctl upstream drain 127.0.0.1:5301
check "which is an event" seen $from '.kind == "upstream_drained" and .fields.server == "127.0.0.1:5301"'
check "and undrained" weirctl upstream undrain 127.0.0.1:5301
check "which is another" seen $from '.kind == "upstream_undrained"'
kill $upstream
ask_away() { short "away-$RANDOM.test" A; has $from '.kind == "upstream_down" and (.fields.server | contains("5301"))'; }
check "a server that does not answer is down" eventually ask_away
check "which is an alarm" seen $from '.kind == "alarm_raised" and .fields.alarm == "upstreams"'
check "and its state" weirctl wait upstream 127.0.0.1:5301 down
upstream 5301 $tmp/up.log
ask_back() { short "ok-$RANDOM.back.test" A; has $from '.kind == "upstream_up" and (.fields.server | contains("5301"))'; }
check "and up again" eventually ask_back
check "which is its state" weirctl wait upstream 127.0.0.1:5301 up

from=$(newest)
check "a data plane that is killed" kill -9 "$(pid dataplane)"
check "has ended" seen $from '.kind == "dataplane_went" and .severity == "warning" and (.fields.why | contains("killed"))'
check "which is an alarm" seen $from '.kind == "alarm_raised" and .fields.alarm == "dataplane"'
"$lab" start dataplane >/dev/null
check "and comes back" seen $from '.kind == "dataplane_came"'

numbers=$(sed -n 's/^id: //p' $tmp/stream)
same "the numbers of the stream go up by one" "" "$(awk 'NR > 1 && $1 != last + 1 { print last, $1 } { last = $1 }' <<<"$numbers")"
check "each event has its data in one line" eval \
	'[ "$(grep -c "^data: {.*}$" $tmp/stream)" -ge "$(grep -c "^id: " $tmp/stream)" ]'
middle=$(sed -n 3p <<<"$numbers")
timeout 2 curl -sN --unix-socket /run/weir/control.sock -H "Last-Event-ID: $middle" http://weir/events >$tmp/again
same "after a break a reader goes on behind its last event" $((middle + 1)) "$(sed -n 's/^id: //p' $tmp/again | head -1)"
as_many() { # as_many SINCE ARGUMENT...: unless one comes in between
	local since=$1
	shift
	[ "$(weirctl "$@" | wc -l)" = "$(events $since | jq ".events | length")" ]
}
check "weirctl shows a line for each event" eventually as_many "" events
check "with time, severity and kind" eval \
	'weirctl events | grep -Eq "^[0-9-]{10} [0-9:]{8} warning dataplane_went the data plane has ended: "'
check "since a number" eventually as_many $from --json events --since $from
check "since a time" eval '[ "$(weirctl events --since 1h | wc -l)" -gt 10 ]'
same "of another time" 0 "$(weirctl events --since 2099-01-01 | wc -l)"
check "a since that is neither is refused" eval '! weirctl events --since soon'
metric() { weirctl metrics | sed -n "s/^$1 //p"; }
check "metrics count the kinds" eval '[ "$(metric "weir_events_total{kind=\"config_refused\"}")" = 1 ]'
readers() { weirctl --json mem tables | jq -e 'any(.tables[]; .name == "event_readers" and .used == 2)'; }
check "a stream is a reader in the tables" eventually readers
kill $reader
readers() { [ "$(weirctl --json mem tables | jq '.tables[] | select(.name == "event_readers") | .used')" = "$1" ]; }
check "until it hangs up" eventually readers 1

last=$(newest)
weirctl wait event process_started --since $last >$tmp/waited &
waiter=$!
"$lab" stop controlplane >/dev/null
"$lab" start controlplane >/dev/null
check "a wait goes on over a restart" wait $waiter
check "numbers go on over a restart" seen $last ".kind == \"process_started\" and .number > $last"
finish
