#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Verbs that edit the configuration without an editor: what each does to answers, how it is taken back, entries that end by
# themselves, a kill and a restart of both processes, refusals, and the history.
. "$(dirname "$0")/_init.sh"

echo added.test >$tmp/added.list
lab_up
kid_comes() { client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2) && ip addr add 198.18.0.3/24 dev $dev'; }
check "another client" kid_comes
cat >>$config <<CONFIG
groups:
- {name: kids, clients: [198.18.0.9], deny: [game.test]}
- {name: guests, clients: [198.18.0.10]}
entries: [{name: filed.test, verdict: deny, why: by hand}, {name: kept.test, verdict: allow}]
CONFIG
check "groups" taken_over weirctl config reload

passes() { [ "$(client kdig +short +timeout=1 +retry=0 @$service "$1" A)" = 198.18.200.1 ]; }
for_kid() { client kdig +timeout=1 +retry=0 -b 198.18.0.3 @$service "$1" A | grep -q NXDOMAIN; }
not_for_kid() { [ "$(client kdig +short +timeout=1 +retry=0 -b 198.18.0.3 @$service "$1" A)" = 198.18.200.1 ]; }
# says TEXT CMD...: CMD fails with TEXT
says() {
	local want=$1
	shift
	! "$@" >$tmp/said 2>&1 && grep -qF -- "$want" $tmp/said || { cat $tmp/said && false; }
}
entries() { weirctl --json entries | jq -r "$1"; }

made() { weirctl --json config history | jq -e "any(.versions[]; $1)"; } # made CONDITION: a version of the history

# Entries.
check "allow" weirctl allow ok.blocked.test --why "für Anna"
check "is allowed" eventually passes ok.blocked.test
check "the history has who, what and why" made '.who == "uid 0" and .what == "allow ok.blocked.test" and .why == "für Anna"'
check "what stands above it is still blocked" blocks blocked.test
check "why names the entry and its reason" grep -q 'allow ok.blocked.test for everyone: ' <<<"$(weirctl why ok.blocked.test)"
same "and in JSON" "für Anna" "$(weirctl --json why ok.blocked.test | jq -r '.entries[0].why')"
check "deny in a group" weirctl deny toy.test --group kids
check "others are answered" passes ok.toy.test
check "the other verdict replaces it" grep -q 'in place of' <<<"$(weirctl deny ok.blocked.test)"
check "is blocked" eventually blocks ok.blocked.test
check "remove" weirctl deny --remove ok.blocked.test
check "allow once more" weirctl allow ok.blocked.test
check "a pattern" weirctl deny '/^pat[0-9]/'
check "blocks" eventually blocks pat7.test
check "a permanent one" weirctl deny keep.test
check "another takes its place, and says that it does not come back" grep -q 'had no end; it does not come back' <<<"$(weirctl deny keep.test --for 1h)"
check "and goes" weirctl deny --remove keep.test
check "a short one" weirctl deny short.test --for 10m
check "is in force" eventually blocks short.test
check "entries shows them" grep -q 'short.test' <<<"$(weirctl entries)"
check "with the time that is left" test "$(entries '.entries[] | select(.name == "short.test") | .left_s')" -le 600

# Lists, records, groups, servers.
check "list add" weirctl list add more $tmp/added.list
check "it blocks" eventually blocks added.test
check "list show" grep -q 'more .*in use' <<<"$(weirctl list show)"
mv $tmp/added.list $tmp/away.list
warned() { weirctl deny warned.test 2>$tmp/warned; }
check "a list's file is away: in force with a warning" warned
check "which names the list" grep -q 'weirctl: warning: .*except list "more"' $tmp/warned
check "it blocks" eventually blocks warned.test
check "and is taken back" weirctl deny --remove warned.test
mv $tmp/away.list $tmp/added.list
check "list disable" weirctl list disable more --why "too wide"
check "the history has why" made '.what == "list disable more" and .why == "too wide"'
check "it blocks no more" eventually passes ok.added.test
check "list show says so" grep -q 'more .*disabled' <<<"$(weirctl list show)"
check "list enable" weirctl list enable more
check "it blocks again" eventually blocks added.test
echo ok.added.test >$tmp/good.list
check "list add of an allow list" weirctl list add good $tmp/good.list --allow
check "it allows" eventually passes ok.added.test
check "what stands above it is still blocked" blocks added.test
check "list show says so" grep -q 'good  *allow' <<<"$(weirctl list show)"
check "list remove" weirctl list remove good
check "it allows no more" eventually blocks ok.added.test
check "local add" weirctl local add nas.lan A 192.0.2.77
same "is answered" 192.0.2.77 "$(short nas.lan A)"
check "a second record" grep -qx 'take it back: weirctl local remove nas.lan A 192.0.2.78' <<<"$(weirctl local add nas.lan A 192.0.2.78)"
check "is not removed by another value" says 'with that value' weirctl local remove nas.lan A 192.0.2.79
check "but by its own" weirctl local remove nas.lan A 192.0.2.78
same "and alone" 192.0.2.77 "$(short nas.lan A)"
check "group add" weirctl group add 198.18.0.3 kids
check "the client is in the group" eventually for_kid game.test
check "with the entry of the group" for_kid toy.test
check "group move" weirctl group move 198.18.0.3 guests
check "it is not any more" eventually not_for_kid ok.game.test
check "upstream add" weirctl upstream add 127.0.0.1:5302
same "weir asks it" 1 "$(weirctl --json upstreams | jq '[.upstreams[] | select(.address == "127.0.0.1:5302")] | length')"
check "upstream remove" weirctl upstream remove 127.0.0.1:5302
for what in "list add more" "list enable more" "local add nas.lan" "group add 198.18.0.3" "group move 198.18.0.3" \
	"upstream add 127.0.0.1:5302" "upstream remove 127.0.0.1:5302"; do
	check "the history has $what" made ".what | startswith(\"$what\")"
done

# Refusals.
list=$(weirctl --json list show | jq -r '.lists[0].name')
check "a list of the file stays" says "$config:" weirctl list remove "$list"
check "with advice" says "weirctl list disable" weirctl list remove "$list"
check "an entry of the file too" says "$config:" weirctl deny --remove filed.test
check "with what beats it" says ': weirctl allow filed.test beats it; or edit the file' weirctl deny --remove filed.test
check "which is so" eval 'weirctl allow filed.test && eventually passes ok.filed.test && weirctl allow --remove filed.test'
check "nothing beats one that allows" says 'does not edit: edit the file, then' weirctl allow --remove kept.test
check "an unknown list" says 'did you mean "more"?' weirctl list disable mroe
check "an unknown group" says 'did you mean "kids"?' weirctl deny a.test --group kid
check "a client of the file" says "$config:" weirctl group add 198.18.0.9 guests
check "a client twice" says 'in group "guests" already' weirctl group add 198.18.0.3 kids
check "a bad name" says "name: " weirctl deny a..test
check "a bad record" says "value: " weirctl local add x.lan A nonsense
check "a bad URL" says "is not a URL" weirctl list add bad ftp://lists.test/
check "a file that is not there" says "No such file" weirctl list add bad /nowhere
check "a bad time" says "--for takes" weirctl deny a.test --for soon
check "an entry that is not there" says 'no allow entry "nothing.test"' weirctl allow --remove nothing.test
same "none of these is in force" "filed.test short.test toy.test" \
	"$(entries '[.entries[] | select(.verdict == "deny" and (.name | startswith("/") | not)) | .name] | sort | join(" ")')"
same "nor a list" 0 "$(weirctl --json list show | jq '[.lists[] | select(.name == "bad")] | length')"

# The file as an apply would take it.
cp $config $tmp/good.yaml && sed -i 's/name: kids/name: teens/' $config
check "config check finds what the managed part needs" says 'managed.yaml:' weirctl config check
cp $tmp/good.yaml $config
check "and a good file" grep -q 'with the managed part: good' <<<"$(weirctl config check)"

# The short one ends by itself, given less time; another one while nobody serves.
short_since=$SECONDS
check "less time for it" weirctl deny short.test --for 4s
check "it ends" eventually passes ok.short.test
check "in its time" test $((SECONDS - short_since)) -ge 3
same "and is gone" 0 "$(entries '[.entries[] | select(.name == "short.test")] | length')"
check "by the timer" made '.who == "timer" and .what == "end of deny short.test"'
check "one for the restart" weirctl deny gone.test --for 3s
check "control plane killed" "$lab" kill controlplane
check "data plane killed" "$lab" kill dataplane
sleep 3
check "control plane again" "$lab" start controlplane
check "data plane again" "$lab" start dataplane
check "the other client again" kid_comes
check "it answers" eventually passes ok.gone.test
check "what was denied is" eventually blocks pat8.test
check "what was allowed is" eventually passes ok.blocked.test
same "the record is" 192.0.2.77 "$(short nas.lan A)"
check "the list is" blocks added.test
check "the client's group is" not_for_kid ok.game.test
same "the reason is" by\ hand "$(entries '.entries[] | select(.name == "filed.test") | .why')"

check "what ended meanwhile is gone" eventually made '.who == "timer" and .what == "end of entries while weir was down"'
same "from the entries too" 0 "$(entries '[.entries[] | select(.name == "gone.test")] | length')"

# Back to what the file says.
same "local remove" "removed 1 local record of nas.lan" "$(weirctl local remove nas.lan)"
for undo in "allow --remove ok.blocked.test" "deny --remove /^pat[0-9]/" "deny --remove toy.test --group kids" "list remove more" \
	"group remove 198.18.0.3"; do
	check "$undo" weirctl $undo
done
check "blocked as before" eventually blocks ok.blocked.test
same "nothing is managed" 0 "$(entries '[.entries[] | select(.name | IN("filed.test", "kept.test") | not)] | length')"
applied() { weirctl --json events | any_line '.kind == "config_applied" and .fields.what == "group remove 198.18.0.3"'; }
check "the last one is an event once its health held" eventually applied
finish
