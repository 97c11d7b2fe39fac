#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Redis fails, moves and lies while clients ask (redis_chaos.py), and gets more keys than it may keep (redis_names.py).
# Without arguments the short forms of all scenarios; the long ones are tools/chaos redis.
. "$(dirname "${BASH_SOURCE[0]}")/_options.sh"
seconds=1.6 rate=$((1000 / ${WEIR_PATIENCE:-1})) names=40000 max_keys=8000 l0_mb=1 seed=1 scenario='faults sentinel cluster names'
options 'scenario seconds rate names max-keys l0-mb seed' "$@"
scenarios=$scenario
for scenario in $scenarios; do
	case $scenario in faults | sentinel | cluster | names) ;; *) echo "$scenario: no such scenario" >&2 && exit 2 ;; esac
done
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
ctl=$WEIR_BUILD/tools/ctl/weirctl

command -v redis-server >/dev/null && $python -c 'import redis' ||
	{ echo "redis-server or python3-redis is missing" && exit 1; }

# up L0_MB LAB_ARGUMENTS...
up() {
	local megabytes=$1
	shift
	"$lab" up "$@" && sed -i "s/l0_mb: .*/l0_mb: $megabytes/" $config &&
		"$lab" stop controlplane && "$lab" start controlplane
}
answers() {
	local i
	for i in $(seq 50); do
		client kdig +timeout=1 +retry=0 @$service "$@" | grep -q 'status: NOERROR' && return
		sleep 0.1
	done
	return 1
}
ran() {
	local text=$1
	shift
	checks=$((checks + 1))
	if "$@"; then echo "ok $checks - $text"; else echo "not ok $checks - $text" && bad=$((bad + 1)); fi
}
zone 5301 $tmp/zone.log
lab_of=none # the scenarios but one have a lab together
for scenario in $scenarios; do
	wanted=faults
	[ "$scenario" = names ] && wanted=names
	[ $lab_of = none ] || [ $lab_of = $wanted ] || "$lab" down >/dev/null
	if [ $lab_of != $wanted ] && [ $wanted = faults ]; then # a cache that the load overflows, so that Redis has
		check "up, L0 of 1 MiB" up 1 --upstream 127.0.0.1:5301 # something to tell
		check "answers" answers m.ready.test AAAA
	elif [ $lab_of != $wanted ]; then
		check "up, L0 of $l0_mb MiB, at most $max_keys keys" up "$l0_mb" --offline
		check "answers" answers n.wild.lab.example A
	fi
	lab_of=$wanted
	if [ $wanted = faults ]; then
		ran "$scenario" client $python "$smoke_dir/rig/redis_chaos.py" "$ctl" $config $tmp/$scenario $tmp/zone.log \
			"$scenario" "$seconds" "$rate" "$seed"
	else
		printf 'redis:\n  mode: standalone\n  addresses: ["127.0.0.1:6401"]\n  timeout_ms: 5000\n  lookup_timeout_ms: 1000\n  max_keys: %s\n' "$max_keys" >>$config
		ran "$names names" $python "$smoke_dir/rig/redis_names.py" "$ctl" $config $tmp/names "$lab" "$names" "$max_keys" \
			"$l0_mb" $((rate * 4))
	fi
done
finish
