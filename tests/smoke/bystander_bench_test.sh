#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each attack of bystander_run.py reaches weir, and weir lives and answers bystanders. How long they wait decides nothing here.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

rows=$tmp/rows.json
bench() { "$root/tools/bench" --goals bystander --quick --json --built --build "$WEIR_BUILD" >$rows; }
# metric NAME: of how many cases there is a number above 0
metric() { jq -s --arg metric "$1" 'map(select(.metric == $metric and .value > 0)) | length' $rows; }
check "weir lives" bench
attacks=$(metric connections_weir)
check "attacks reach weir" [ "$attacks" -ge 20 ]
same "all of them reach what stands in for weir" "$attacks" "$(metric connections_sink)"
for turn in quiet sink attacked; do
	same "bystanders have answers: $turn" $((6 * attacks)) "$(metric p99_$turn)"
done
finish
