#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Groups that are published again: as the data plane could not read them (the query log names them by that image), and as the control plane
# could not write them.
. "$(dirname "$0")/_init.sh"

lab_up
cp $config $tmp/plain.yaml
group() { # group NAME PREFIX: the lab's configuration with this group, in force
	printf 'query_log: {enabled: true}\ngroups:\n- {name: %s, clients: [%s]}\n' "$1" "$2" | cat $tmp/plain.yaml - >$config
	weirctl config reload --keep
}
row_group() { # of a query, in the log
	local name=row-$RANDOM.lab.example
	weirctl --json log tail --name "$name" >$tmp/rows &
	local tail=$!
	for _ in $(seq 50); do
		client kdig +timeout=1 +retry=0 @$service "$name" A >/dev/null 2>&1
		[ -s $tmp/rows ] && break
		sleep 0.1
	done
	pkill -P $tail
	wait $tail 2>/dev/null
	head -1 $tmp/rows | jq -r .client_group
}

check "a group" group first 198.18.0.0/24
check "is activated" eventually activated
same "and in the log" first "$(row_group)"
check "another group in its place" group second 198.18.0.0/25
check "is activated" eventually activated
same "and in the log" second "$(row_group)"
check "data plane killed" "$lab" kill dataplane
check "the policy image damaged" $python "$smoke_dir/rig/damage.py" 5300 ff "$(region 'policy.*')"
check "data plane started" "$lab" start dataplane
check "the groups are published again" eventually grep -q 'groups of generation .*: publishing them again' /run/weir/lab/controlplane.log
check "are activated" eventually activated
same "and in the log by their name" second "$(row_group)"

image=$(region 'policy.*')
next=${image%.*}.$((${image##*.} + 1))
check "a folder where the next image is to be" mkdir "$next"
same "the reload says what it lacks" groups "$(group third 198.18.0.0/26 2>&1 | grep -o 'except the groups' | cut -d ' ' -f 3)"
lags() { weirctl status | grep 'GROUPS NOT ACTIVE'; }
check "the status says so too" eventually lags
same "the groups before stay" second "$(row_group)"
check "the folder removed" rmdir "$next"
keeps_up() { weirctl --json status | jq -e '.controlplane.generations | .policy_lag_ms == 0 and .policy_failures > 0'; }
check "the groups are published by themselves" eventually keeps_up
same "and in the log" third "$(row_group)"
finish
