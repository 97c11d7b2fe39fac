#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The benches of TLS, HTTPS and validation work with the real binaries and with dnsdist and unbound: each runs for a second
# or two. How fast anything is decides nothing here.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

rows=$tmp/rows.json
peers() { "$root/tests/bench/encrypted/tls_peers.py" --quick --build "$WEIR_BUILD" >$rows; } # T1, T2 and T4 at one start
bench() { "$root/tools/bench" --goals T3 --quick --json --built --build "$WEIR_BUILD" >>$rows; }
# has GOAL CASE METRIC: a row of it has a number
has() {
	jq -es --arg goal "$1" --arg case "$2" --arg metric "$3" \
		'any(.goal == $goal and (.case | startswith($case)) and .metric == $metric and (.value | type == "number"))' $rows
}
check "all answers come, sessions are resumed, connections may wait" peers
check "T1: over TLS" has T1 dot cpu_to_dnsdist
check "T1: over HTTPS" has T1 doh cpu_to_dnsdist
check "T2: full handshakes" has T2 "TLS 1.3, full" cpu_to_dnsdist
check "T2: resumed ones" has T2 "TLS 1.3, resumed" cpu_to_dnsdist
check "T4: memory of each" has T4 100 memory_to_dnsdist
check "answers are validated" bench
check "T3: without validation" has T3 plain cpu_to_unbound
check "T3: with it" has T3 validated cpu_to_unbound
finish
