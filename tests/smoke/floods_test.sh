#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Floods with the shipped limits (floods_load.py): what honest clients get meanwhile. The long form is tools/chaos floods.
. "$(dirname "${BASH_SOURCE[0]}")/_options.sh"
seconds=3 rate=5000 seed=1 phases=
options 'seconds rate seed phases' "$@"
# Before phases that were asked for: what they are compared with, and what fills tables.
phases=${phases:+quiet torture $phases}
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
# The lab's limits are not those that are shipped.
sed -i '/^limits:/d' /run/weir/lab/weir.yaml
check "with the shipped limits" taken_over weirctl config reload --keep
# Queries wait while the worker has no CPU, as they would in a NIC's larger queue.
client ip link set wt0 txqueuelen 10000
# Where it serves, a worker has a CPU of its own and no client runs beside the control plane; here the worker comes before all
# others of its CPU, then the honest client and the generator (floods_load.py), which a flood in nature would not wait for, then
# the control plane.
worker_first() {
	local comm
	comm=$(grep -l worker /proc/$(pid dataplane)/task/*/comm) && chrt --fifo --pid 4 "$(cut -d/ -f5 <<<"$comm")" &&
		chrt --all-tasks --rr --pid 1 "$(pid controlplane)"
}
[ -z "${strict-}" ] || check "the worker comes first, the control plane before what has no place" worker_first
checks=$((checks + 1))
client env strict="${strict-}" $python "$smoke_dir/rig/floods_load.py" "$WEIR_BUILD/tools/ctl/weirctl" \
	/run/weir/lab/weir.yaml $tmp/up.log "$seconds" "$rate" "$seed" $phases
load=$?
case $load in
0) echo "ok $checks - floods" ;;
3) echo "not checked - floods" && checks=$((checks - 1)) ;; # the long form alone: floods_judge.py
*)
	echo "not ok $checks - floods" && bad=$((bad + 1))
	tail -n 8 /run/weir/lab/*.log
	;;
esac
check "every frame has one verdict" verdicts_add_up
check "as many as the port counted" ports_add_up
same "it still answers" 198.18.200.1 "$(short ok.after.test A)"
audit_check
"$lab" down >/dev/null
[ $load != 3 ] || { (finish) && exit $load; }
finish
