#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The query store, with the real binaries: what clients asked is found by name, client and verdict, exported, there
# after a kill -9 of the control plane, and names that mean something to a terminal, a shell, SQL or a spreadsheet are text.
. "$(dirname "$0")/_init.sh"
lab_up

logged() { weirctl --json log search --limit 500 "$@"; }
names() { logged "$@" | jq -r '[.rows[].qname] | unique | join(" ")'; }
found() { [ "$(names "${@:2}")" = "$1" ]; } # found NAMES FILTER...
weights() { logged "$@" | jq '[.rows[].weight] | add // 0'; }
export_names() { weirctl log export "$@" --since 1h; }

for i in 1 2 3; do short ok-$i.deep.search.test A; done >/dev/null
short ads.lab.example A >/dev/null
client kdig +tcp +short +timeout=2 @$service ok-4.tcp.test A >/dev/null
check "names below one are found" eventually found \
	"ok-1.deep.search.test ok-2.deep.search.test ok-3.deep.search.test" --name SEARCH.test
check "a blocked one" eventually found "ads.lab.example" --verdict blocked
check "names with a part are found" eventually found \
	"ok-1.deep.search.test ok-2.deep.search.test ok-3.deep.search.test" --part DEEP.sea
same "none with a part that only looks like a pattern" "" "$(names --part 'ok%')"
check "by group" test "$(weights --group everyone)" -ge 4
check "by the name of a response code" test "$(weights --name deep.search.test --rcode noerror)" -ge 3
same "none with another one" "" "$(names --name deep.search.test --rcode NXDOMAIN)"
check "a response code that there is not is refused" eval '! weirctl log search --rcode NXDOMIAN 2>$tmp/why'
check "with the nearest" grep -q 'did you mean "NXDOMAIN"' $tmp/why
check "the table names it" eval 'weirctl log search --part deep | grep -q NOERROR'
check "one asked over TCP" eventually found "ok-4.tcp.test" --name tcp.test
same "by a client that asked nothing, none" "" "$(names --client 198.18.0.99)"
check "by the one that did, some" test "$(weights --client 198.18.0.2)" -ge 5
check "a client that nobody knows is an error" eval '! weirctl log search --client nobody 2>$tmp/why'
check "which says so" grep -q 'no client "nobody" in the configuration or among found names, nor in the rows searched' $tmp/why
same "of the future, none" "" "$(names --since 2099-01-01)"
check "the table" eval 'weirctl log search --name search.test | grep -q "ok-2.deep.search.test"'
check "status has a line" eval 'weirctl status | grep -q "^query store  *up"'

client $python "$smoke_dir/rig/odd_names.py" $service evil.test
five() { [ "$(logged --name evil.test | jq '[.rows[].qname] | unique | length')" = 5 ]; }
check "five hostile names are on record" eventually five
check "export as JSON lines" eval 'export_names --format jsonl >$tmp/all.jsonl && jq -e . <$tmp/all.jsonl'
same "has them as they were" '\027[31mred\000\255.evil.test' \
	"$(jq -r 'select(.qname | test("red")) | .qname' <$tmp/all.jsonl | sort -u)"
check "export as CSV" eval 'export_names --format csv >$tmp/all.csv'
same "every line of it has all columns" "$(head -1 $tmp/all.csv | tr , '\n' | wc -l)" \
	"$($python -c 'import csv,sys; print(*{len(r) for r in csv.reader(open(sys.argv[1]))})' $tmp/all.csv)"
same "none is a formula" 0 "$($python -c '
import csv, sys
print(sum(c[:1] in ("=", "+", "@") for r in csv.reader(open(sys.argv[1])) for c in r))' $tmp/all.csv)"
same "none has a byte that a terminal obeys" 0 "$(LC_ALL=C grep -c '[^ -~]' $tmp/all.csv)"

before=$(weights)
stored() { weirctl --json log status | jq -e 'any(.sinks[]; .name == "store" and .held_weight == 0)'; }
check "all rows are on disk" eventually stored
check "the control plane is killed" "$lab" kill controlplane
check "it is started again" "$lab" start controlplane
short ok-9.after.test A >/dev/null
logged_after() { [ "$(weights --name after.test)" -ge 1 ]; }
check "and logs" eventually logged_after
check "its log thread writes to memory, not to the state directory" test -s /run/weir/log.in-hand -a ! -e /run/weir/lab/state/log.in-hand
same "which no disk holds up" tmpfs "$(stat -fc %T /run/weir/log.in-hand)"
check "with all that was there before" test "$(weights)" -ge "$before"
same "no file is damaged" 0 "$(logged | jq .unreadable_files)"
# What a kill costs is at most what the next life says.
short ok-7.burst.test A >/dev/null
kept() { weights --name burst.test; }
check "a name to ask for" eventually eval '[ "$(kept)" -ge 1 ]'
bound() { weirctl --json log status | jq '.sinks[] | select(.name == "store") | .lost_by_kill_weight'; }
bound_is_reported() { [ "$(bound)" -ge 1 ]; }
later() { [ "$(weights --name $after)" -ge 1 ]; }
# A commit just before the kill leaves nothing to lose: then once more.
missing=0
for try in 1 2 3 4 5; do
	had=$(kept) after=ok-8$try.after.test
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do short ok-7.burst.test A >/dev/null; done
	kill -9 "$(pid controlplane)"
	check "the control plane is killed at once" "$lab" kill controlplane
	check "and started" "$lab" start controlplane
	check "it says what the store had in memory at most" eventually bound_is_reported
	short $after A >/dev/null
	check "rows go on" eventually later
	missing=$((had + 20 - $(kept)))
	[ "$missing" -ge 1 ] && break
done
check "a kill lost some: $missing" test "$missing" -ge 1
check "no more than it says: $missing of $(bound)" test "$missing" -le "$(bound)"
check "and the log has a line of it" eval 'weirctl errors | grep -q "killed with up to .* of store"'
check "and the status" eval 'weirctl status | grep -q "^query log .*store lost up to"'
unread=$(weirctl --json status | jq -r .controlplane.query_store.directory)/queries-20200101T00-001.sqlite
echo "no database" >"$unread"
weirctl log search --limit 500 >$tmp/found 2>$tmp/why
same "a file that cannot be read ends a search with" 1 $?
check "which names it" grep -q "$unread: damaged" $tmp/why
check "and shows the other rows" grep -q test $tmp/found
same "an export ends with" 1 "$(weirctl log export >$tmp/found 2>$tmp/why; echo $?)"
same "and in JSON" "$unread" "$(weirctl --json log search 2>/dev/null | jq -r '.unreadable[0].file')"
rm "$unread"
same "without it a search ends with" 0 "$(weirctl log search >/dev/null; echo $?)"
finish
