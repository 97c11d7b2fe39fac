#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Kill at every step with the real binaries: one of them is started with a fault point armed, dies there at its start or
# under traffic, and is started again. No answer may be wrong, and all that was cached must still be there.
# Two resolvers, which ask their upstream through the port.
# usage: fault_test.sh [PROCESS:SITE...]     default: all but those of left_out, a third by turns without WEIR_LONG. WEIR_BUILD: a build with fault points
export WEIR_RESOLVERS=${WEIR_RESOLVERS:-2}
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl'
. "$(dirname "$0")/_init.sh"

# Sites that such a start and such traffic do not pass, and why. The scenes of tests/fault pass them all.
declare -A left_out=(
	[l0_overflow_raised]='needs a full bucket' [l0_overflow_lowered]='needs a full bucket'
	[l0_recover_cleared]='needs an entry that a death has torn'
	[l0_secret_stored]='a new cache: nothing could be kept'
	[l0_copied]='needs huge pages that come between two lives'
	[former_marks_unlinked]='a new cache' [marks_unlinked]='a new cache'
	[worker_evicted_stored]='needs a worker that hangs beside one that does not'
	[epoch_return_stored]='needs the return of such a worker'
	[copy_linked]='needs a list with a URL' [copy_pruned]='needs a list that leaves the configuration'
	[absent_begun]='needs a full file of the query store' [absent_page_written]='needs such a file'
	[absent_before_commit]='needs such a file' [absent_written]='needs such a file')

# Each site of fault.h with its process: rings and regions have a writer in both.
all_sites() {
	sed -n 's/^\tX(\(\w*\), \(\w*\)).*/\1 \2/p' "$root/include/weir/fault.h" | while read -r site group; do
		[ -z "${left_out[$site]-}" ] || continue
		case $group in
		DATAPLANE) echo "dataplane:$site" ;;
		RING_* | REGION) echo "dataplane:$site controlplane:$site" ;;
		*) echo "controlplane:$site" ;;
		esac
	done
}
known() { grep -q "X($1, " "$root/include/weir/fault.h"; }
all_known() { local site; for site in "${!left_out[@]}"; do known "$site" || { echo "$site"; return 1; }; done; }

sites=("$@")
[ $# -gt 0 ] || for site in $(all_sites); do in_turn && sites+=("$site"); done
check "all sites that are left out are sites" all_known

load() { client $python "$smoke_dir/rig/fault_load.py" "$@"; }

list=$tmp/grows.list
echo n0.listed.test >$list
must "up" lab_by_port $tmp/up.log --list $list
# Two deaths during the watch of a version's health would take it back.
settled() { weirctl --json config history | jq -e '.versions[0].result == "applied"'; }
check "the configuration is settled" eventually settled
check "weir asks the upstream through the port" eventually by_port
check "100 names are cached" load 1000 100 kept 30 all
asked() { up_log | awk '{print $4}' | grep -c kept; }
asked=$(asked)

# change: a new version of the configuration
change() {
	sed -i "/^  failure_ttl/d; s/^cache:.*/&\n  failure_ttl: $((RANDOM % 200 + 1))/" /run/weir/lab/weir.yaml
	weirctl config reload
}

# provoke SITE: what passes it, where starts and new names do not.
provoke() {
	case $1 in
	l0_tag_cleared | l0_retired) weirctl cache flush --below new.test ;;
	epoch_seen_stored) # a worker that has much to do
		load 10000 8000 busy 3 &
		for _ in {1..20}; do weirctl cache flush --below busy.test; done
		wait $!
		;;
	l0_number_replaced | l0_restamp_written) # a TTL of one second; then without an upstream the stale answer
		[ "$(client kdig +short +timeout=3 +retry=0 @$service n9-1.aged.test A)" = 198.19.0.9 ] &&
			[ "$1" = l0_restamp_written ] && touch $tmp/up.log.down
		sleep 1.2
		;;
	version_settled) if settled; then change; else ahead 10; fi ;; # the health watch of a change ends, for no other change follows
	version_*) change ;;
	ring_pad_written) load 10000 8000 pad$RANDOM 10 ;; # around the ring
	esac >/dev/null 2>&1
	return 0
}

# die PROCESS SITE ROUND: dies there, is started again, and all is well
die() {
	local process=$1 site=$2 round=$3 died
	known "$site" || { echo "no such site"; return 1; } # with which a process ends at once, too
	"$lab" kill "$process" >/dev/null 2>&1
	echo "n$round.listed.test" >>$list # so that the next control plane builds its rules again, not the one that is killed
	[ "$site" != leftover_unlinked ] || : >"$(dirname "$(region 'rule_image.*')")/rule_image.999999" # of a control plane that died
	case $site in # files of the last life are used again
	answers_made) rm -f "$(dirname "$(region 'rings.0')")"/answers.* ;;
	reader_filled) rm -f "$(region reader)" ;;
	esac
	WEIR_FAULT=$site:1 "$lab" start "$process" >/dev/null 2>&1
	died=no
	for _ in {1..30}; do
		runs "$process" || { died=yes; break; }
		provoke "$site"
		load $((2000 + round * 10)) 10 new 0.4 || return 1
	done
	rm -f $tmp/up.log.down
	[ $died = yes ] || { echo "$process never came to $site"; return 1; }
	if [ "$process" = controlplane ]; then
		load 1000 100 kept 20 all || return 1 # as if nothing had happened
	fi
	"$lab" start "$process" || return 1
	load $((2000 + round * 10)) 10 new 30 all && load 1000 100 kept 20 all
}

round=0
for site in "${sites[@]}"; do
	check "dies at $site" die "${site%:*}" "${site#*:}" $((round++))
done
same "nothing cached was asked again" "$asked" "$(asked)"
check "weir asks the upstream through the port" eventually by_port
finish
