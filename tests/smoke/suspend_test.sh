#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A machine that was suspended for an hour: both processes in a time namespace whose CLOCK_BOOTTIME is an hour ahead, over the
# shared memory of their last life. What is cached has aged.
. "$(dirname "$0")/_init.sh"

unshare --time --boottime 3600 true 2>/dev/null || { echo "skipped: no time namespaces"; exit 77; }
at=0
# The lab at that time: it knows its processes by their start times, which /proc shows by CLOCK_BOOTTIME.
lab_now() { unshare --time --boottime $at --fork "$lab" "$@"; }
again_in() { # again_in SECONDS: both processes restarted, so long after the first start
	check "both killed" lab_now kill dataplane
	check "both killed" lab_now kill controlplane
	at=$1
	check "the control plane wakes up" lab_now start controlplane
	check "the data plane, too" lab_now start dataplane
	eventually resolves "ok.woken-$1.test"
}
asked() { up_log | grep -c cached.test; }

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
same "a first answer" 198.18.200.1 "$(short ok-3000.cached.test A)"
queries=$(asked)

echo "# within its TTL"
again_in 1500
same "it is answered" 198.18.200.1 "$(short ok-3000.cached.test A)"
same "from L0" $queries "$(asked)"
left=$(client kdig +noall +answer +timeout=5 @$service ok-3000.cached.test A | awk '{print $2}')
check "with half of its TTL" test "${left:-3000}" -gt 1300 -a "${left:-3000}" -le 1500

echo "# after its TTL"
again_in 3600
same "it is answered" 198.18.200.1 "$(short ok-3000.cached.test A)"
check "by the upstream, which gets a new query" test "$(asked)" -gt $queries
same "both processes agree that the other lives" "" "$(weirctl status 2>&1 | grep -iE 'hung|hangs')"
lab_now down >/dev/null
finish
