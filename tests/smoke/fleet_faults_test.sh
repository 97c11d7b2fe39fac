#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A secondary in trouble: cut off for an hour, with a wrong clock, with a full disk, and killed at each step of taking a version. Each time
# it catches up in one step by itself, and has neither half a version nor an older one. WEIR_LONG: all steps, else a third.
# WEIR_BUILD: a build with fault points
. "$(dirname "$0")/fleet_pair.sh"

latest=1 # box 1 blocks the names ok-1 to ok-N
change() { # box 1 blocks one more, and does not watch its health
	latest=$((latest + 1))
	local names=$(seq -s , -f 'ok-%g.fleet.test' 2 $latest)
	sed -i "/^  deny: /d; s/^blocking:.*/&\n  deny: [$names]/" "$(folder 1)/weir.yaml" && ctl 1 config apply --keep
}
# blocked N: box 2 blocks the names up to ok-N, and not the next one
blocked() {
	local n names=()
	for ((n = 1; n <= $1 + 1; n++)); do names+=("ok-$n.fleet.test" A); done
	box 2 kdig +timeout=1 +retry=0 @198.18.2.53 "${names[@]}" | rcode_of >$tmp/rcodes
	[ "$(grep -c . $tmp/rcodes) $(head -n "$1" $tmp/rcodes | grep -c NXDOMAIN) $(tail -n 1 $tmp/rcodes | grep -c NXDOMAIN)" = "$(($1 + 1)) $1 0" ] ||
		{ cat $tmp/rcodes && false; }
}
has_latest() { blocked $latest && held; }
catches_up() { eventually eval 'later 3; has_latest'; }
history() { ctl 2 --json config history; }
in_force() { history | jq .version; }
last_sync() { history | jq -r 'first(.versions[] | select(.who == "sync")) | "\(.number) \(.what)"'; }
# one_step NUMBER: the version after that one is the last one by sync, and the primary's latest
one_step() { same "in one step" "$(($1 + 1)) sync version $(fleet 1 .primary.version) of box1" "$(last_sync)"; }
why() { fleet 2 .secondary.why; }
# Each version has its two files, and nothing else is there that was to become one.
state=$(folder 2)/state
no_half_file() {
	local file
	for file in $state/config/*.blotted $state/config/*.version; do
		[ -s ${file%.*}.blotted ] && [ -s ${file%.*}.version ] || { ls -l $state/config && return 1; }
	done
}
wall() { $python -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("<q", int(float(sys.argv[2]) * 3600e6)))' $tmp/wall $1; }
# start2 [STEP]: the control plane of box 2, which ends at that step once $tmp/armed is there
start2() {
	WEIR_FAULT=${1:+$1:$tmp/armed} WEIR_WALL=$tmp/wall "$lab" --name 2 start controlplane && eventually eval 'in_force | grep -q "[0-9]"'
}
stop2() { "$lab" --name 2 stop controlplane; }
started_on() { sed -n 's/.*configuration: version \([0-9]*\), by.*/\1/p' "$(folder 2)/controlplane.log" | tail -n 1; }

head -c 8 /dev/zero >$tmp/wall
small_disk() { # the state directory of box 2
	mkdir $tmp/disk && mount -t tmpfs -o size=$(($(du -sk $state | cut -f 1) + 2048))k tmpfs $tmp/disk &&
		cp -a $state/. $tmp/disk && chown --reference=$state $tmp/disk && rm -r $state && ln -s $tmp/disk $state
}
must "box 2 gets a clock and a disk of its own" eval 'stop2 && small_disk && start2'
must "and holds the version" catches_up

echo "# cut off for an hour"
cut_off() { ip rule add pref 2 lookup local && ip rule add pref 1 ipproto tcp dport 9961 unreachable && ip rule del pref 0; }
before=$(in_force)
must "the way to the primary is cut" cut_off
ahead 31 # the poll that box 1 held ends
check "box 2 says why" eventually eval '[ -n "$(why)" ]'
for minutes in 20 20 19; do
	must "box 1 has another version" change
	ahead $((minutes * 60))
done
check "after an hour that is the reason" eventually eval 'ctl 2 ready --strict | grep -E "no good reply of https://127.0.0.1:9961 for (59|6[0-9]) minutes: "'
check "box 2 is as it was" blocked 1
must "the way is there again" ip rule del pref 1
must "it catches up" catches_up
one_step $before
taken() { ctl 2 --json events | any_line ".kind == \"sync_taken\" and .fields.version == \"$(fleet 1 .primary.version)\""; }
check "and an event says so" taken
check "the reason is gone" eval '! has_reason 2 sync_primary'

echo "# a wrong clock"
hours_off() { fleet 1 '.primary.boxes[] | select(.name == "box2") | .clock_ms / 3600000 | round'; }
for hours in 5 -1; do
	before=$(in_force)
	wall $hours
	must "$hours hours: box 1 has another version" change
	must "box 2 catches up" catches_up
	one_step $before
	check "fleet status shows the clock" eventually eval 'ahead 30; [ "$(hours_off)" = $hours ]'
done
check "in words" eval 'ctl 1 fleet status | grep -E "box2 .* -(3600|3599)\.[0-9] s"'
dated() { # dated HOURS WORDS: by that clock the primary's certificate is not valid
	before=$(in_force)
	wall $1
	ahead 31 # a connection that is open counts
	check "$1 hours: box 2 says what is wrong" eventually eval 'ahead 10; why | grep "'"$2"'"'
	must "box 1 has another version" change
	check "which box 2 does not get" blocked $((latest - 1))
	wall 0
	must "with the right clock it catches up" catches_up
	one_step $before
}
dated -5 "certificate is not yet valid by this box's clock"
dated 72 "certificate has expired by this box's clock"

echo "# a full disk"
fill() { # fill PAGES: free ones that are left, and no more at any moment
	dd if=/dev/zero of=$state/filler bs=4096 oflag=append conv=notrunc status=none 2>/dev/null
	truncate -s $(($(stat -c %s $state/filler) - $1 * 4096)) $state/filler
}
counter() { curl -s --unix-socket /run/weir-2/control/control.sock http://weir/metrics | sed -n "s/^weir_$1 //p"; }
tries() { counter 'sync_polls_total{result="taken"}'; }
tries_again() { # after the longest time that a box leaves between two tries
	local had=$(tries)
	ahead 61
	eventually eval '[ "$(tries)" -gt '$had' ]' && eventually eval 'why | grep "No space left on device"'
}
versions_said() { ctl 2 --json audit --limit 1000 | jq "[.. | objects | select(.version? > 0)] | length"; }
before=$(in_force)
refused=$(fleet 2 .secondary.refused)
# Its files take the place of those with the result before, and would make room on a disk that is full already.
is_stored() { $python -c 'import sys
for path in sys.argv[1:]:
    assert open(path, "rb").read(40)[36:] == b"\0\0\0\2", path # applied' $state/config/$before.{version,blotted}; }
must "the version in force has its result on disk" eventually is_stored
said=$(versions_said) not_taken=$(counter config_refused_total)
fill 0
must "box 1 has another version" change
for pages in 0 2 10; do
	fill $pages
	check "$pages pages are free: box 2 tries, and says why it cannot" tries_again
	check "it is as it was" blocked $((latest - 1))
	check "no half file" no_half_file
done
check "which is a reason" eval 'ctl 2 ready --strict | grep "version .* of box1 cannot be taken now: .*No space left on device"'
check "of its primary, too" eventually eval 'ahead 10; reason | grep "cannot be taken now: .*No space left on device"'
same "the audit log has no version that never was" "$said" "$(versions_said)"
same "and none counts as refused" "$not_taken" "$(counter config_refused_total)"
must "box 2 restarts" eval 'stop2 && fill 0 && start2'
same "on the version that it had" $before "$(started_on)"
check "and still waits" tries_again
same "it refused nothing" "$refused" "$(fleet 2 .secondary.refused)"
rm $state/filler
must "there is room: it catches up" catches_up
one_step $before
check "no half file" no_half_file
check "the reasons are gone" eval '! has_reason 2 sync_version && ! has_reason 2 config_versions && [ -z "$(reason)" ]'

echo "# killed at each step of taking a version"
# SITE FILE TEXT: with a FILE passages count only while that one is there
steps=(
	"store_file_made:1 sync.tmp fetched, and not noted"
	"store_written:1 config/N.blotted.tmp noted, its first file is not whole"
	"store_synced:1 config/N.version.tmp its second file is not in place"
	"version_stored:1 - stored, and not in force"
	"config_switched:1 - in force, and its rules are not"
	"store_synced:1 config/current.tmp in force, and a restart goes back"
	"version_switched:1 - in force, and watched"
	"store_written:2 config/N.version.tmp its health held, which is not stored"
	"version_settled:1 - which is stored"
	"store_synced:2 sync.tmp and not noted, nor reported"
)
# ended: the control plane of box 2 did so by itself
ended() {
	local pid
	read -r pid _ <"$(folder 2)/controlplane.pid" && [ -n "$pid" ] && ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$pid/status"
}
dies() { # dies FILE NEXT_SITE: at the site that it was started with, and is started with the next
	local file=${1/N/$(($(history | jq '.versions[0].number') + 1))}
	before=$(in_force)
	ln -s "$([ "$1" = - ] && echo / || echo "$state/$file")" $tmp/armed
	! ended && change || return
	eventually eval 'later 3; ended' || return
	rm $tmp/armed
	"$lab" --name 2 kill controlplane # what is left of it
	start2 "$2" || return
	[ "$(started_on)" -ge "$before" ] || { echo "version $(started_on) after $before"; return 1; }
	blocked $((latest - 1)) || blocked $latest || return
	catches_up && no_half_file && history | jq -e '.versions | all(.result != "pending" and .result != "watched_again")'
}
chosen=()
for step in "${steps[@]}"; do ! in_turn || chosen+=("$step"); done
must "box 2 restarts" eval 'stop2 && start2 "${chosen[0]%% *}"'
for ((i = 0; i < ${#chosen[@]}; i++)); do
	read -r site file text <<<"${chosen[i]}"
	next=${chosen[i + 1]-}
	check "at $site: $text" dies "$file" "${next%% *}"
done
same "no version was refused" "0 0" "$(fleet 2 '.secondary | "\(.refused) \(.taken_back)"')"
fleet_end
