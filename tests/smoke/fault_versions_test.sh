#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Either process is killed at each step of an apply and of a rollback, and the control plane on the way back when health fell:
# afterwards one whole version is in force, and the history has the result of each. WEIR_LONG: all scenes, else a third. WEIR_BUILD: a build with fault points
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl'
. "$(dirname "$0")/_init.sh"

history() { weirctl --json config history 2>/dev/null; }
in_force() { history | jq .version; }
is_in_force() { [ "$(in_force)" = "$1" ]; }
has_one() { [[ $(in_force) =~ ^[1-9] ]]; }
denied() { weirctl config show "$1" | sed -n 's/^  deny: \[\(.*\)\]$/\1/p'; } # by version NUMBER; each denies one name
not_blocked() { ! blocks "$1"; }
nothing_is_open() { history | jq -e '.versions | all(.result != "pending" and .result != "watched_again")'; }
file_of() { sed "s/^blocking:.*/&\n  deny: [$1]/" $tmp/plain.yaml >$config; }
# change apply|rollback: a version that denies another name than the one in force; its health is not watched
change() {
	case $1 in
	apply)
		file_of "v$(date +%s%N).test"
		weirctl config apply --keep
		;;
	rollback)
		weirctl config rollback --keep "$(history | jq "[.versions[] | select(.number < $before and .result == \"applied\") | .number] | max")"
		;;
	esac
}
# whole: the version in force, which is the one before the change or a later one, is there with all of its text, and without
# that of others.
whole() {
	local now name other
	eventually has_one
	now=$(in_force)
	[ "$now" -ge $before ] || { echo "version $now after $before"; return 1; }
	name=$(denied $now)
	eventually blocks "$name" || { echo "version $now, but $name is not blocked"; return 1; }
	for other in $(weirctl --json config history | jq -r '.versions[:3][].number' | while read -r n; do denied $n; done); do
		[ "$other" = "$name" ] || eventually not_blocked "$other" || { echo "version $now, but $other is blocked"; return 1; }
	done
	eventually nothing_is_open || { history; return 1; }
	# One that was stored and is not in force was never taken, and the history says why.
	history | jq -e --argjson now "$now" '.versions[0] | .number == $now or (.result == "not_taken" and (.reason | length) > 0)' ||
		{ history; return 1; }
}
is_dead() { ! runs controlplane; }
# dies CHANGE SITE TIMES: the control plane, when it comes to that step for the TIMES-th time
dies() {
	runs controlplane || "$lab" start controlplane || return # where the check before this one failed
	before=$(in_force)
	file_of "$(denied $before)" # a start takes another file
	"$lab" stop controlplane && WEIR_FAULT=$2:$3 "$lab" start controlplane || return
	eventually is_in_force $before
	change $1 >$tmp/changed 2>&1
	eventually is_dead || { echo "never came to $2"; cat $tmp/changed; return 1; }
	"$lab" start controlplane && whole
}
# killed CHANGE DELAY: the data plane, so many seconds after the change began
killed() {
	before=$(in_force)
	change $1 >$tmp/changed 2>&1 &
	local changing=$!
	sleep $2
	"$lab" kill dataplane
	wait $changing || { cat $tmp/changed; return 1; }
	"$lab" start dataplane && whole && [ "$(in_force)" -gt $before ]
}
# fallen SITE: health falls after an apply, and the control plane dies when it comes to that step of the way back
fallen() {
	local bad good
	runs controlplane || "$lab" start controlplane || return
	before=$(in_force)
	good=$(denied $before)
	file_of "$good"
	"$lab" stop controlplane && WEIR_FAULT=$1:4 "$lab" start controlplane || return # start 1, apply 2 and 3, way back 4 and 5
	eventually is_in_force $before
	bad=$(($(history | jq '.versions[0].number') + 1))
	file_of "v$(date +%s%N).test"
	sed -i 's/127.0.0.1:5301/127.0.0.1:5399/' $config # an upstream that nobody serves
	weirctl config apply >$tmp/changed 2>&1
	eventually is_dead || { echo "never came to $1"; cat $tmp/changed; return 1; }
	# The next control plane starts on the bad version, watches it again and takes it back.
	"$lab" start controlplane && eventually is_back $bad || { cat $tmp/changed; history; return 1; }
	whole && same_text "$good" && eventually resolves "ok-3000.back-$bad.test"
}
# unserved kill|stop STARTS: the control plane ends so while it watches the health, and the next ones die before they serve
unserved() {
	local bad i
	runs controlplane || "$lab" start controlplane || return
	change apply && eventually nothing_is_open || return
	before=$(in_force)
	bad=$((before + 1))
	file_of "v$(date +%s%N).test"
	weirctl config reload && eventually is_in_force $bad && "$lab" $1 controlplane || return
	for ((i = 0; i < $2; i++)); do
		! WEIR_FAULT=config_slot_written:1 "$lab" start controlplane || eventually is_dead || return
	done
	"$lab" start controlplane && eventually is_in_force $before || { history; return 1; }
	history | jq -e --argjson bad $bad '.versions[0] | .number == $bad and .result == "taken_back"'
}
same_text() { [ "$(denied "$(in_force)")" = "$1" ]; }
is_back() {
	history | jq -e --argjson bad $1 '.version == $bad + 2 and
		([.versions[] | select(.number >= $bad) | "\(.number - $bad) \(.what), \(.result)"] ==
			["2 take back version \($bad), applied", "1 take back version \($bad), not_taken", "0 config apply, taken_back"])'
}
# under_load CMD...: CMD, while a client asks for new names, each of which is a miss
under_load() {
	local load result
	for ((i = 0; i < 12000; i++)); do echo "ok-3000.n$(((checks << 16) + i)).load.test A"; done >$tmp/load.txt
	nsenter --net=/run/netns/weir-client -- dnsperf -s $service -d $tmp/load.txt -Q 100 -n 1 -l 120 -t 6 >$tmp/load.out 2>&1 &
	load=$!
	"$@"
	result=$?
	kill $load
	wait $load
	return $result
}

lab_up
cp $config $tmp/plain.yaml
before=0
must "version 1 is in force" eventually is_in_force 1
many() { for _ in {1..21}; do change apply || return; done; } # so that each change prunes one
check "as many versions as are kept" many
same "they are kept" 20 "$(history | jq '.versions | length')"
for what in apply rollback; do
	for site in version_stored version_switched version_settled; do
		! in_turn || check "$what: the control plane dies at $site" dies $what $site 1
	done
	! in_turn || check "$what: the control plane dies at version_pruned" dies $what version_pruned 2 # a start prunes, too
	for site in config_slot_written config_switched; do # a start passes them once; then the settings, and the numbers of lists
		! in_turn || check "$what: the control plane dies at $site, of the settings" dies $what $site 2
		! in_turn || check "$what: the control plane dies at $site, of the rules" dies $what $site 3
	done
	for delay in 0 0.005 0.02 0.1; do
		! in_turn || check "$what: the data plane is killed $delay s after it began" killed $what $delay
	done
done
! in_turn || check "a version with which it never serves again is taken back" unserved kill 1
! in_turn || check "so is one after a clean stop" unserved stop 2
for site in config_slot_written config_switched; do
	! in_turn || check "health fell: the control plane dies at $site, on the way back" under_load fallen $site
done
finish
