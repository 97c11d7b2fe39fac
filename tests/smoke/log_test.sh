#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The query log, with the real binaries: every query that was received is on record by weight,
# cached, missed or blocked, over UDP and TCP, sampled or not, with its server and its list; what is
# excluded is counted apart.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

logged() { weirctl --json log status | jq ".$1"; }
queries='^(hit|hit_stale|blocked|blocked_answer|local|any_minimal|identity|cookie_only|badcookie|drop_rule|miss|notify|drop_notify|miss_duplicate|servfail_.*|drop_ring_full|formerr|notimp|badvers|refused|refused_denied|drop_denied|drop_limited|slip_limited)$'
sum='[to_entries[] | select(.key | test($q)) | .value] | add // 0'
# Queries that the workers had, and the control plane itself.
received() {
	local workers own
	workers=$(weirctl --json stats --interval 0 | jq --arg q "$queries" ".dataplane.verdicts | $sum")
	own=$(weirctl --json stats --interval 0 | jq --arg q "$queries" "[.. | objects | .frontend // empty][0] | [.udp.verdicts, .tcp.verdicts] | map($sum) | add")
	echo $((workers + own))
}
# As many, by all that the log made and left out?
complete() { [ $(($(logged weight) + $(logged excluded_weight))) = "$(received)" ]; }
section() {
	sed -i '/^query_log:/,/^[a-z]/{/^query_log:/d;/^ /d}' $config
	printf 'query_log: %s\n' "$1" >>$config
	taken_over weirctl config reload
}
# Once, as queries are counted.
ask() { client kdig +timeout=30 +retry=0 @$service "$@" >/dev/null; }
load() { # QUERIES, all answered
	client dnsperf -s $service -d $tmp/names -n "$1" -l 10 -t 3 -Q 4000 >$tmp/dnsperf.out 2>&1
}

must "up" "$lab" up --offline
for i in $(seq 200); do printf 'n%d.lab.example A\nwww.lab.example A\n' "$((i % 50))"; done >$tmp/names
check "load" load 5
check "the sum of weights is the number of received queries" eventually complete
same "each has its own row" "$(logged weight)" "$(logged rows)"

top() { weirctl --json top | jq -r "$1"; }
check "top: the name that half of all asked for" eventually eval '[ "$(top ".names.items[0].text")" = www.lab.example ]'
check "top: who asked, and how often" eventually eval '[ "$(top .clients.queries)" = "$(logged weight)" ]'
check "top: for people" grep -q '198.18.0' <(weirctl top --limit 3)

readers() { [ "$(logged tail.readers)" = "$1" ]; }
weirctl --json log tail --name n7.lab.example --client 198.18.99.99 >$tmp/other &
other=$!
weirctl --json log tail --name n7.lab.example --verdict "hit" >$tmp/tail &
tail=$!
check "tail: two read" eventually readers 2
check "a query" ask n8.lab.example
check "and another" ask n7.lab.example
check "tail: what passes the filter" eventually grep -q '"qname": *"n7.lab.example"' $tmp/tail
same "tail: and nothing else" 1 "$(wc -l <$tmp/tail)"
same "tail: of another client, nothing" "" "$(cat $tmp/other)"
pkill -P $tail
pkill -P $other
check "tail: nobody reads" eventually readers 0

# The row of the query just asked, as .qname and so on.
watch_rows() { # FILTER..., into $tmp/rows
	weirctl --json log tail "$@" >$tmp/rows &
	rows_of=$!
	check "watch: a reader is connected" eventually readers 1
}
watch_end() {
	pkill -P $rows_of
	check "watch: nobody reads" eventually readers 0
}
seen() { any_line ".qname == \$n and ($2)" --arg n "$1" <$tmp/rows; }

check "all are counted so far" eventually complete
before=$(logged weight)
watch_rows
check "over TCP" ask +tcp www.lab.example
check "is one more" eventually eval '[ "$(logged weight)" = $((before + 1)) ]'
check "a new name" ask new.lab.example
check "rows tell which server answered" eventually seen new.lab.example '.tier == "upstream" and .upstream != ""'
check "a blocked name" ask ads.lab.example
check "is reported with its list" eventually seen ads.lab.example '.transport == "udp" and .verdict == "blocked" and .list != ""'
check "also over TCP" ask +tcp ads.lab.example
check "is reported with its list" eventually seen ads.lab.example '.transport == "tcp" and .verdict == "blocked" and .list != ""'
watch_end

check "top of the store: until an hour ago nobody asked" grep -q '^the .* until then: 0 queries' <(weirctl top --until 1h)
check "clients until an hour ago: none" grep -q '^0 of 0 clients of the .* until then' <(weirctl clients --until 1h)
check "top: the rule that blocked" eventually eval '[ "$(top "[.rules.items[].text] | index(\"ads.lab.example\") != null")" = true ]'
check "blocklist status counts the list" eventually eval 'weirctl --json blocklist status | jq -e "[.lists[].queries_blocked] | add >= 2"'
check "and so do metrics" eventually eval 'weirctl metrics | grep -q "^weir_list_blocked_queries_total{list=.*} [1-9]"'

# Names of clients from a file of leases, which changes.
lease() { printf '0 02:00:5e:10:00:01 198.18.0.2 %s *\n' "$1" >$tmp/leases.next && mv $tmp/leases.next $tmp/leases; }
lease laptop-of-ann
printf 'client_names: {usual_files: false, lease_files: [%s]}\n' $tmp/leases >>$config
check "reload: a file of leases" taken_over weirctl config reload
named() { weirctl --json clients names | jq -e '.lease == 1 and .ptr_asked == 0' >/dev/null; }
check "its name is known" eventually named
watch_rows --client laptop-of-ann
check "a query" ask n9.lab.example
check "has the name" eventually seen n9.lab.example '.client_name == "laptop-of-ann"'
watch_end
check "search finds it by name" eventually eval 'weirctl --json log search --client LAPTOP-of-ann | jq -e ".rows[0].qname == \"n9.lab.example\"" '
check "clients names it" eventually eval 'weirctl clients | grep -q "^ *laptop-of-ann  *lease  *198.18.0.2  *[0-9a-f:]\{17\} "'
check "and lists its names" eventually eval 'weirctl clients laptop-of-ann | grep -q "n9.lab.example"'
check "top names it" eventually eval 'weirctl --json top | jq -e "[.clients.items[].client_name] | index(\"laptop-of-ann\")"'
check "why takes the name" eval 'weirctl --json why www.lab.example --client laptop-of-ann | jq -e "[.. | strings] | index(\"198.18.0.2\")"'
lease tv-of-bob
check "the file changes" eventually eval 'weirctl --json clients | jq -e "[.clients[].client_name] | index(\"tv-of-bob\")"'

# The whole screen, in a terminal of 80 by 24 that grows.
# Each screen has a server of its own: a server that ends still takes sessions.
tmux() { command tmux -S "$tmp/screen.$screens" -f /dev/null "$@"; }
screen() { tmux capture-pane -p -t top; }
# No line is wrapped, and the first one has not left the screen.
fits() { tmux capture-pane -p -J -t top | tee $tmp/screen | awk 'NR == 1 && !/^weir top / || length > 80 { bad = 1 } END { exit bad || NR != 24 }'; }
screens=1
shows() { screen | grep -q -- "$1"; }
tmux new-session -d -s top -x 80 -y 24 "'$WEIR_BUILD/tools/ctl/weirctl' -c $config top --watch --interval 0.5; echo ended-\$?; stty -a; sleep 60"
check "top --watch shows names" eventually shows 'www.lab.example'
check "clients by name" eventually shows 'tv-of-bob (198.18.0.2)'
check "and rates" eventually shows '[0-9] queries/s .* hits'
check "on 24 lines of at most 80 columns" eventually fits # one that is half drawn does not
tmux resize-window -t top -x 130 -y 40
wide() { screen | awk '/blocked names/ { exit NR > 18 ? 0 : 1 } END { if (NR == 0) exit 1 }'; }
check "it takes another size" eventually wide
tmux send-keys -t top q
check "q ends it" eventually shows 'ended-0'
check "and the terminal is as it was" eventually eval 'screen | grep -q " icanon" && screen | grep -q " echo "'
tmux kill-server
screens=2
tmux new-session -d -s top -x 80 -y 24 "'$WEIR_BUILD/tools/ctl/weirctl' -c $config top --watch --since 1h --client tv-of-bob --interval 2; echo ended-\$?; sleep 60"
check "top --watch --since shows the span and the client" eventually shows 'lists of the last .*, client tv-of-bob'
check "rates in the second line" eventually shows '[0-9] queries/s .* hits'
check "the lists that blocked" eventually shows 'lists that blocked'
check "a name that is new" ask later.lab.example
check "is in the lists of another look" eventually shows 'later.lab.example'
check "on 24 lines of at most 80 columns" eventually fits
tmux send-keys -t top q
check "q ends it" eventually shows 'ended-0'
tmux kill-server

check "all are counted so far" eventually complete
check "reload: one record for ten" section '{sample: 10}'
weights=$(logged weight) rows=$(logged rows)
check "load" load 5
check "the sum is exact" eventually complete
check "with fewer rows" test $((($(logged rows) - rows) * 5)) -lt $(($(logged weight) - weights))

check "reload: names and clients left out" section '{exclude_domains: [www.lab.example], exclude_clients: [198.18.0.66]}'
client ip addr add 198.18.0.66/24 dev wt0
excluded=$(logged excluded_weight) weights=$(logged weight)
check "an excluded name" ask www.lab.example
check "an excluded client" ask -b 198.18.0.66 n1.lab.example
check "another" ask n1.lab.example
check "are counted apart" eventually eval '[ "$(logged excluded_weight)" = $((excluded + 2)) ]'
check "and summed up" eventually complete

mac=$(client bash -c 'ip -o link show dev $(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2)' |
	sed -n 's/.*ether \([^ ]*\).*/\1/p')
printf 'clients: [{name: card, macs: [%s]}, {name: net, addresses: [198.18.0.0/24]}]\n' "'$mac'" >>$config
check "reload: a client by its MAC address" section '{}'
watch_rows --client card
check "a query over IPv4" ask n2.lab.example
check "has its name" eventually seen n2.lab.example '.client_name == "card"'
check "another over IPv6" client kdig +timeout=3 +retry=2 @$service6 n3.lab.example
check "too" eventually seen n3.lab.example '.client_name == "card" and (.client | contains(":"))'
watch_end
kernel_asked() { weirctl --json stats --interval 0 | jq -e '[.. | objects | select(.name? == "log_neighbours") | .used][0] > 0'; }
check "the kernel was asked" eventually kernel_asked

same "nothing was misunderstood" "0 0" "$(logged bad) $(logged ring_anomalies)"
check "reload: off" section '{enabled: false}'
weights=$(logged weight)
check "a query" ask www.lab.example
check "status says so" grep -q 'query log *off' <(weirctl log status)
finish
