#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Rule images that stay mapped, files that stay open and huge pages that nobody unmaps, planted in each process (shm_leaks in
# dataplane/core/shm): they must be counted, by region and by kind, and tools/memtest must see the last two in both processes at
# once. Without a leak there must be none.
# WEIR_BUILD: a build with -Dleak_demo=true
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl'
. "$(dirname "$0")/_init.sh"
kinds() { weirctl --json mem kinds | jq -e "$1"; }
looked() { ahead 10 && kinds "$1"; } # at the next look
of() { [ $1 = dataplane ] && echo .dataplane || echo .; }      # the object of a process
stale() { echo "([$(of $1) | .deleted_mappings[] | select(.name == \"rule_image\") | .stale] | add // 0)"; }
open_files() { weirctl --json mem kinds | jq "[$(of $1) | .descriptors[] | select(.name == \"file\") | .open] | add"; }
reload() { # reload COUNT: each with a new image, once the data plane has the one before; a worker may still use an older one
	local i name
	for i in $(seq $1); do
		name=n$(date +%s%N).test
		echo $name >>$list
		eventually weirctl blocklist reload >/dev/null && eventually blocks $name || return
	done
}
restart() { "$lab" stop $1 && WEIR_LEAK=$2 "$lab" start $1; }

lab_up
check "reloads" reload 5
check "mappings and descriptors of both processes are counted" eventually looked \
	'[., .dataplane] | all((.mappings | length) >= 4 and ([.descriptors[].open] | add) > 5)'
clean() { sleep 25 && kinds "$(stale controlplane) == 0 and $(stale dataplane) == 0"; } # two looks each
check "without a leak no image stays" clean
printf '#!/bin/bash\nwhile :; do echo n$(date +%%s%%N).test >>%q; %q -c %q blocklist reload; done\n' \
	$list "$WEIR_BUILD/tools/ctl/weirctl" $config >$tmp/reloads.sh
memtest() { "$root/tools/memtest" --seconds 8 -- bash $tmp/reloads.sh >$tmp/memtest 2>&1; }
check "tools/memtest accuses nobody" memtest
cat $tmp/memtest
for process in controlplane dataplane; do
	check "$process that keeps images mapped" restart $process regions
	check "reloads" reload 6
	check "they are counted" eventually looked "$(stale $process) >= 3"
	check "as deleted by its metrics" eventually eval \
		"weirctl metrics | grep -E '^weir_process_stale_mappings\{process=\"$process\",region=\"rule_image\"\} ([3-9]|[1-9][0-9])$'"
	check "it keeps files open" restart $process files
	eventually looked "$(of $process) | .descriptors | length > 0" >/dev/null
	before=$(open_files $process)
	check "reloads" reload 6
	more() { ahead 10 && [ $(open_files $process) -ge $((before + 6)) ]; }
	check "they are counted" eventually more
	check "no leak any more" restart $process none
done

for process in dataplane controlplane; do
	check "$process that keeps huge pages and files" restart $process huge,files
done
eventually weirctl blocklist reload >/dev/null
leaks() { memtest; [ $? = 1 ] && grep -q '^leak, in:' $tmp/memtest; }
check "tools/memtest says that they leak" leaks
cat $tmp/memtest
for what in 'huge' 'descriptors' 'dataplane: huge' 'dataplane: descriptors'; do
	check "and names: $what" grep -qE "^  $what  \+[0-9]+ " $tmp/memtest
done
weirctl mem kinds
finish
