#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# 10,000 random and mutated frames through the real binaries: nothing crashes, one verdict each, replies well-formed.
. "$(dirname "$0")/_init.sh"

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
pids=$(cat /run/weir/lab/*.pid)
received=$(dp counter rx_frames)
for seed in 1 2; do
	check "10,000 hostile frames, seed $seed" client $python "$smoke_dir/rig/hostile_load.py" $seed
done
same "both processes are the same as before" "$pids" "$(cat /run/weir/lab/*.pid)"
check "and run" bash -c "'$lab' status | grep -c ': runs' | grep -qx 2"
check "they were received" test $(($(dp counter rx_frames) - received)) -ge 19000
check "every frame has one verdict" verdicts_add_up
check "as many as the port counted" ports_add_up
same "no packet buffer is missing" 0 "$(weirctl --json stats --interval 0 | jq '[.dataplane.workers[].mbuf_breaches] | add')"
same "it still answers" 198.18.200.1 "$(short ok.after.test A)"
finish
