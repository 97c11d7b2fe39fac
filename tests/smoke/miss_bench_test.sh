#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The benches of misses, and those of the control API, work with the real binaries and the peers that are installed: each
# runs for a second or two. How fast anything is decides nothing here.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

goals=M1,M4,M4b,attack,timing
rows=$tmp/rows.json

# has GOAL METRIC: a row of it has a number
has() { jq -es --arg goal "$1" --arg metric "$2" 'any(.goal == $goal and .metric == $metric and (.value | type == "number"))' $rows; }

bench() { "$root/tools/bench" --goals $goals --quick --json --built --build "$WEIR_BUILD" >$rows; }
check "tools/bench --quick" bench
check "M1: CPU of a miss" has M1 cpu
by_port() { jq -es --arg goal "$1" --arg metric "$2" 'any(.goal == $goal and .metric == $metric and (.case | startswith("miss by port")))' $rows; }
by_memif() { jq -es 'any(.goal == "M4b" and .metric == "per_cpu_s_weir" and .value > 0 and (.case | startswith("memif")))' $rows; }
check "M1: by the port" by_port M1 cpu
check "M4: by the port" by_port M4 added_p50_weir
check "M1: the sockets alone" has M1 cpu_to_sockets
check "M4: time that weir adds" has M4 added_p50_weir
check "M4: the upstream's own" has M4 upstream_p99
check "M4b: answers a CPU second" has M4b per_cpu_s_weir
check "M4b: by memif" by_memif
check "M4b: the worker's part" has M4b cpu_dataplane
check "attack: what a worker keeps of its answers" has attack g1_ratio
check "timing: of the check of a token" has timing t
for peer in dnsdist unbound; do
	command -v $peer >/dev/null || continue
	check "M1: $peer" has M1 cpu_to_$peer
	check "M4: $peer" has M4 added_p99_$peer
	check "M4b: $peer" has M4b to_$peer
done
finish
