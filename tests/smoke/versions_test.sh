#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Versions of the configuration: apply, refusal with all errors, history, difference, rollback, the way back when health
# falls, and starts on the version in force whatever is on disk.
. "$(dirname "$0")/_init.sh"

state() { sed -n 's/^ *state_directory: *//p' $config | tr -d '"'; }
is_settled() { [ "$(of "$1" result)" = applied ]; }
history() { weirctl --json config history 2>/dev/null; }
# of NUMBER FIELD: of a version
of() { history | jq -r ".versions[] | select(.number == $1) | .$2"; }
# A file of results: it must fail, and say TEXT.
refused() { ! weirctl "$@" >$tmp/refused.out 2>&1; }
says() { grep -qF -- "$1" $tmp/refused.out || { cat $tmp/refused.out && false; }; }
differs() { weirctl status | grep -qF "warning: the file on disk differs from version $1"; }
agrees() { ! weirctl status | grep -qF 'warning: the file on disk'; }
is_in_force() { [ "$(history | jq .version)" = "$1" ]; }
not_blocked() { ! blocks "$1"; }
deny() { sed "s/^blocking:.*/&\n  deny: [$1]/" $tmp/plain.yaml >$config; }
# applied COMMAND...: a change that waits until its health has held; that time passes at once.
applied() {
	local change
	"$@" &
	change=$!
	wait_for counter status.controlplane.config_version.watch_left_s '>' 0 && ahead 10
	wait $change
}
load() { # in the background, of new names: the rate is low, each is a miss
	(for ((i = 0; i < 4000; i++)); do echo "ok-3000.n$1-$i.load.test A"; done) >$tmp/load.txt
	missed=$(resolver misses)
	client dnsperf -s $service -d $tmp/load.txt -Q 100 -n 1 -l 25 -t 6 >$tmp/load.out 2>&1 &
	load=$!
	eventually eval '[ $(($(resolver misses) - missed)) -ge 100 ]'
}
load_end() { pkill -INT dnsperf && wait $load; }

lab_up
cp $config $tmp/plain.yaml
folder=$(state)/config
check "there is a section to change" grep -q '^blocking:' $config
must "version 1 is in force" eventually is_in_force 1
same "made by the start" "start applied" "$(of 1 who) $(eventually is_settled 1; of 1 result)"
check "no difference" agrees

deny first.test
check "status says that the file differs" eventually differs 1
check "the difference shows it" eval 'weirctl config diff | grep -q "^+  deny: \[first.test\]"'
check "and the key that it changes" eval 'weirctl config diff | grep -qx "in force at once: blocking.deny"'
check "a trial" eval 'weirctl config apply --dry-run | grep -q "^good"'
check "names it, too" eval 'weirctl config apply --dry-run | grep -qx "in force at once: blocking.deny"'
check "with no restart" eval 'weirctl --json config apply --dry-run | jq -e ".live == \"blocking.deny\" and .restart_controlplane == \"\" and .restart_dataplane == \"\""'
check "changes nothing" not_blocked first.test
applied weirctl config apply --why 'a first one' >$tmp/apply.out 2>&1
same "an apply, whose health held" 0 $?
same "says so" "version 2 is applied" "$(tail -n 1 $tmp/apply.out)"
check "is in force" eventually blocks first.test
same "by its user" "uid 0 config apply applied" "$(of 2 who) $(of 2 what) $(of 2 result)"
same "for a reason" "a first one" "$(of 2 why)"
check "with the key" grep -qx "in force at once: blocking.deny" $tmp/apply.out
same "an apply without a change makes no version" "nothing has changed: version 2 stays in force" "$(weirctl config apply)"

sed -i 's/^dataplane:.*/&\n  mbufs: 16383/' $config
sed -i 's/^controlplane:.*/controlplane: {resolvers: 2}/' $config
echo 'identity: {version: other}' >>$config
weirctl config apply --dry-run >$tmp/trial.out 2>&1
check "a key that changes at once" grep -qx "in force at once: identity.version" $tmp/trial.out
check "one that needs a restart of the data plane" grep -qx "in force after a restart of weir-dataplane: dataplane.mbufs" $tmp/trial.out
check "and one of the control plane" grep -qx "in force after a restart of weir-controlplane: controlplane.resolvers" $tmp/trial.out

{ grep -v '^blocking:' $tmp/plain.yaml && printf 'blocking: {enabled: maybe, deny: [1]}\nrefresh: {max_batch: 4x, frob: 1}\n'; } >$config
check "a wrong file is refused" refused config apply
check "with its first error" says 'blocking.enabled'
check "and with the others" says 'refresh.max_batch: "4x" is not a whole number'
check "each with its place" says "($config:"
check "an unknown key, too" says 'refresh.frob: unknown key'
sed 's/^\( *worker_lcores:\).*/\1 [127]/' $tmp/plain.yaml >$config
check "one that wants a core that is not there is refused" refused config apply
check "says so" says 'dataplane.worker_lcores[0]: this machine has no core 127'
check "also by a reload" refused config reload
check "what was in force is still" blocks first.test
same "no version was made" 2 "$(history | jq '.versions | length')"

weirctl config rollback 1 >$tmp/rollback.out 2>&1 &
rollback=$!
check "a rollback is in force" eventually not_blocked first.test
same "as a version of its own, whose health is watched" "config rollback 1 pending" "$(of 3 what) $(of 3 result)"
check "no rollback to what never was" refused config rollback 99
check "says so" says 'no version 99'
post() { curl -s -o /dev/null -w '%{http_code}' -d a=b --unix-socket /run/weir/control.sock "http://weir/v1/config/$1"; }
same "a reason has no control characters" 400 "$(post 'apply?why=a%0ab')"
same "and a length" 400 "$(post "rollback?version=1&why=$(printf '%0201d' 0)")"

# Health falls: the upstream is another one, which nobody serves.
sed 's/127.0.0.1:5301/127.0.0.1:5399/' $tmp/plain.yaml >$config
check "there is another upstream" eval '! cmp -s $config $tmp/plain.yaml'
load back
check "an apply that breaks the service fails" refused config apply
check "and is taken back" says 'TAKEN BACK, as health fell: '
load_end
wait $rollback
check "so is the rollback that it followed during the watch" grep -qF 'TAKEN BACK, as health fell: ' $tmp/rollback.out
check "misses are answered again" eventually resolves ok-3000.after-back.test
same "history says so" taken_back "$(of 4 result)"
same "and what came after it" "weir take back version 4" "$(of 5 who) $(of 5 what)"
check "status does, too" eval 'weirctl status | grep -q "version 4 was TAKEN BACK: "'
check "and an event" eval 'weirctl events | grep -q config_taken_back'
same "once, when the version before was in force" 1 "$(weirctl --json events | jq -c 'select(.kind == "config_taken_back")' | wc -l)"

# The text that was taken back is on disk, and is not used.
for process in controlplane dataplane; do
	check "$process: stopped" "$lab" stop $process
	check "$process: started" "$lab" start $process
done
check "on the version in force" is_in_force 5
check "it answers" eventually resolves ok-3000.after-stop.test
check "and says that the file differs" eventually differs 5

# A broken file, and kills.
deny second.test
check "an edited file" weirctl config reload
{ cat $tmp/plain.yaml && echo 'broken: ['; } >$config # the lab reads of it what the ports are
for process in controlplane dataplane; do
	check "$process: killed" "$lab" kill $process
	check "$process: starts all the same" "$lab" start $process
done
check "it answers" eventually resolves ok-3000.after-kill.test
check "by the last good version" eventually blocks second.test
check "status names the fault" eval 'weirctl status 2>/dev/null | grep -q "warning: the file on disk cannot be used, version 6 stays in force: .*weir.yaml:"'
check "an event does" eval 'weirctl events | grep -q config_differs'

# The control plane died while the health was watched: the next one watches again, and a clean stop is no death.
same "it is watched again" watched_again "$(of 6 result)"
check "the control plane is stopped" "$lab" stop controlplane
check "and started" "$lab" start controlplane
same "it is watched as for the first time" "6 pending" "$(eventually weirctl ready; history | jq .version) $(of 6 result)"

# Without a clean stop a good file waits for an apply; with one it counts.
deny third.test
check "the control plane is killed" "$lab" kill controlplane
check "and started" "$lab" start controlplane
check "it is on the version in force" eventually is_in_force 6
check "the file differs" eventually differs 6
check "the control plane is stopped" "$lab" stop controlplane
check "and started" "$lab" start controlplane
check "the file is a new version" eventually is_in_force 7
check "and in force" eventually blocks third.test
same "by the start, after one whose health was watched" "start applied" "$(of 7 who) $(eventually is_settled 6; of 6 result)"

# A reload is an apply that does not wait.
deny fourth.test
same "a reload" reloaded "$(weirctl config reload)"
same "is a version" "config reload" "$(of 8 what)"
deny fifth.test
kill -HUP "$(pid controlplane)"
check "so is SIGHUP" eventually is_in_force 9
same "by the signal" signal "$(of 9 who)"

# A version with which the control plane dies twice is taken back by the start.
for i in 1 2; do
	check "the control plane is killed" "$lab" kill controlplane
	check "it starts" "$lab" start controlplane
	eventually weirctl ready
done
same "the second time on the version before" "7 taken_back taken_back" "$(history | jq .version) $(of 8 result) $(of 9 result)"

# What is damaged is not used.
check "the control plane is killed" "$lab" kill controlplane
echo damaged >$folder/7.version
check "it starts" "$lab" start controlplane
check "on the version before" eventually is_in_force 6
check "it serves" eventually blocks second.test
same "history names the damaged one" "$folder/7.version: damaged" "$(history | jq -r '.damaged[]')"
# A restart of the data plane is what many a change asks for: it may take longer than a fault that is held against a version.
deny restarted.test
weirctl config apply >$tmp/restart.out 2>&1 &
applying=$!
check "a change" eventually blocks restarted.test
"$lab" stop dataplane && ahead 5 && "$lab" start dataplane
ahead 10
check "is not taken back for a restart of the data plane" wait $applying
check "it says so" grep -q "^version [0-9]* is applied" $tmp/restart.out

# An operator who keeps what is in force ends the watch of its health, though the text is the same.
deny kept.test
check "a reload, which does not wait" weirctl config reload
now=$(history | jq .version)
same "its version is watched" pending "$(of "$now" result)"
same "the same text is applied and kept" "version $now is in force" "$(weirctl config apply --keep)"
check "the watch has ended" eventually is_settled "$now"
same "by that" "is kept, as asked" "$(of "$now" reason)"

# A list that is away is a warning, not a refusal.
echo listed.test >$tmp/away.list
sed -i "s|^  lists:.*|&\n    - {name: away, path: $tmp/away.list}|" $tmp/plain.yaml
deny there.test
check "a list that is there" weirctl config apply --keep --why "the list of a friend"
check "the history has that reason, and the verdict's" eventually eval 'weirctl config history | grep -q "the list of a friend; is kept, as asked"'
rm $tmp/away.list
deny gone.test
applied weirctl config apply >$tmp/away.out 2>$tmp/away.err
same "an apply that misses it is no failure" 0 $?
same "its version is in force" "version $((now + 2)) is applied" "$(tail -n 1 $tmp/away.out)"
check "with a warning" grep -q 'weirctl: warning: .*away' $tmp/away.err
check "which fails a reload" refused config reload

# Health falls, and the version to go back to is away: the new one stays in force, and nobody says otherwise.
echo listed.test >$tmp/away.list
deny held.test
check "a good version" applied weirctl config apply
now=$(history | jq .version)
sed 's/127.0.0.1:5301/127.0.0.1:5399/' $tmp/plain.yaml >$config
load fallen
rm $folder/$now.version
check "an apply that breaks the service fails" refused config apply
check "as there is no way back" says "no version $now;"
check "says that it stays" says 'STAYS IN FORCE, though health fell: '
same "it is in force" "$((now + 1)) fallen" "$(history | jq .version) $(of $((now + 1)) result)"
check "no event says otherwise" eval 'weirctl events | tail -n 20 | grep -q "config_not_taken_back configuration version $((now + 1)) "'
same "nor was another version taken back" 0 "$(weirctl events | grep -c " config_taken_back ")"
check "there is an alarm" eval 'weirctl ready --strict 2>&1 | grep -q "health fell with version $((now + 1)) of the configuration, which stays in force"'
check "status says so" eval 'weirctl status | grep -q "HEALTH FELL with version $((now + 1)), which stays in force: "'
load_end
check "to keep it ends the alarm" weirctl config apply --keep
same "it is applied" applied "$(eventually is_settled $((now + 1)); of $((now + 1)) result)"
check "no alarm" eval '! weirctl ready --strict 2>&1 | grep -q "health fell"'
finish
