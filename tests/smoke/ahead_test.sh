#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The tests' clock moves both processes: cached records have aged, timers have rung, and no thread is reported as hung. In a
# build without that clock the test waits in real time.
. "$(dirname "$0")/_init.sh"

asked() { up_log | grep -c cached.test; }
ttl() { client kdig +noall +answer +timeout=5 @$service ok-3000.cached.test A | awk '{ print $2 }'; }
none_hung() { ! weirctl status 2>&1 | grep -iE 'hung|hangs'; } # a worker's first beat after a leap may be later than its process's
fresh() { wait_for counter stats.dataplane.heartbeat_age_ms '<' 400; }

lab_up
queries=$(asked)
before=$(ttl)
ahead 20
check "both processes run" fresh
after=$(ttl)
check "an answer from the cache is 20 s older" [ "$after" -le $((before - 20)) -a "$after" -ge $((before - 50)) ]
same "and needs no query" $queries "$(asked)"

sed -i 's/^blocking:.*/&\n  deny: [ahead.test]/' $config
weirctl config apply >$tmp/apply.out 2>&1 &
apply=$!
check "an apply, whose health is watched for 10 s" wait_for counter status.controlplane.config_version.watch_left_s '>' 0
ahead 10
check "is done" taken_over wait $apply
check "and in force" blocks ahead.test
check "for 20 s a name is allowed" weirctl allow blocked.test --for 20s
check "it is" eventually resolves blocked.test
ahead 20
check "and no more" eventually blocks
ahead 100
check "after a long leap both processes run" fresh
check "no worker hangs for long" eventually none_hung
same "nor was a thread said to hang" "" "$(grep -h hangs /run/weir/lab/*.log)"
same "misses are answered" 198.18.200.1 "$(short ok-3000.later.test A)"
finish
