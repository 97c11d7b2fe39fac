#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Where a container allows few open files, for good: the default gives way and says so, any other number is refused if it does not fit.
. "$(dirname "$0")/_init.sh"

files=4096
few="prlimit --nofile=$files:$files setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource"
export WEIR_CONTROLPLANE="$few $WEIR_BUILD/controlplane/weir-controlplane"
log=/run/weir/lab/controlplane.log
cap() { weirctl --json stats --interval 0 | jq .controlplane.resolver.inflight_cap; }
tcp_cap() { weirctl --json tcp | jq .open_cap; }
said() { grep -c "limits.inflight lowered to $1 from 4096, zone_inflight: 0, tcp.queries: $2: open files limited to $files, [0-9]* needed" $log; }
fits() { # questions and connections have the same share, and all of the rest is theirs
	local questions=$1 connections=$2
	[ "$questions" != null ] && [ "$connections" != null ] && [ $((connections - questions)) -ge 0 ] && [ $((connections - questions)) -le 1 ] &&
		[ $((questions + connections)) -gt $((files - 400)) ] && [ $((questions + connections)) -lt $files ]
}

lab_up
same "the limit is what it was" "$files" "$(awk '/open files/ {print $5}' "/proc/$(pgrep -f "^$WEIR_BUILD/controlplane/weir-controlplane")/limits")"
caps_fit() {
	questions=$(cap) connections=$(tcp_cap)
	fits "$questions" "$connections"
}
check "fewer questions, as many connections" eventually caps_fit
once() { [ "$(said "$@")" = 1 ]; }
check "said with its numbers" eventually once "$questions" $((questions / 4))
check "said among the errors too" grep -q "limits.inflight lowered to $questions from 4096" <(weirctl errors)
same "an answer over TCP" 198.18.200.1 "$(client kdig +tcp +timeout=10 +retry=0 +short @$service ok.fresh.test A)"

config=$(readlink -f /run/weir/lab/weir.yaml)
asks_for() { sed -i "s/^limits: {/&inflight: $1, /" "$config"; }
no_more() { sed -i 's/^limits: {inflight: [0-9]*, /limits: {/' "$config"; }
asks_for 5000
refused() { ! weirctl config reload >$tmp/reload 2>&1; }
check "a reload that asks for more than there can be is refused" refused
check "with its numbers" grep -q "limits.inflight: 5000 questions, and 1 servers in 1 sets, need 5[0-9]* files at least, and only $files may be open" $tmp/reload
same "and nothing has changed" "$questions $connections" "$(cap) $(tcp_cap)"
check "stopped" "$lab" stop controlplane
check "nor does it start so" eval '! "$lab" start controlplane'
check "it says why" grep -q "limits.inflight: 5000 questions, .* only $files may be open" $log
no_more
asks_for 3000
check "what fits is taken" "$lab" start controlplane
check "it answers" eventually resolves ok-3000.cached.test
check "as many as asked for" eventually eval '[ "$(cap)" = 3000 ]'
check "TCP has the rest" test "$(tcp_cap)" -lt 1000
no_more
asks_for 4096
check "the default again, spelt out as in the shipped file, live" weirctl config reload
check "it is what it was" eventually eval '[ "$(cap)" = "$questions" ]'
finish
