#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Both processes write their logs to pipes that nobody reads. They start, serve, stop in time, survive each other's death, and count the
# lines that are lost.
. "$(dirname "$0")/_init.sh"
lab_up
logs=/run/weir/lab
config=$logs/weir.yaml
lost() { weirctl metrics | awk '$1 == "weir_messages_lost_total" { print $2 }'; }
same "no line is lost while there is a reader" 0 "$(lost)"

# A pipe of one page in the place of the log file. It is held open here, and full before the process writes its first line.
jam() {
	mv $logs/$1.log $tmp/$1.log
	mkfifo $logs/$1.log
	eval "exec $2<>$logs/$1.log"
	$python -c "import fcntl, os; fcntl.fcntl($2, 1031, 4096); os.set_blocking($2, False); os.write($2, bytes(4096)); os.set_blocking($2, True)"
}
check "the data plane stops" "$lab" stop dataplane
jam dataplane 7
check "it starts with a stderr that nobody reads" "$lab" start dataplane
check "the control plane stops" "$lab" stop controlplane
jam controlplane 8
check "it starts without a reader too" "$lab" start controlplane
resolves() { [ "$(short $1 A)" = 198.18.200.1 ]; }
check "a name is resolved" eventually resolves ok-1.stalled.test
same "a blocked one is blocked" NXDOMAIN "$(rcode @$service x.blocked.test A)"
check "over TCP, too" eventually eval 'client kdig +tcp +short +timeout=5 @$service ok-2.stalled.test A | grep -qx 198.18.200.1'

# Lines of some 300 bytes, fewer than the limit of a second, until the buffer of 64 KiB is full.
label=$(printf 'x%.0s' {1..60})
long=$label.$label.$label.test
fill() {
	for ((i = 0; i < 60; i++)); do weirctl cache flush $long >/dev/null 2>&1; done
	[ "$(lost)" -ge 5 ]
}
check "lines are lost, and counted" eventually fill
check "names are resolved on" resolves ok-3.stalled.test
check "a reload is taken" weirctl config reload
check "the control plane reports its messages" eval 'weirctl errors >/dev/null'
check "the control plane is killed" "$lab" kill controlplane
same "the data plane answers what is cached" 198.18.200.1 "$(short ok-3.stalled.test A)"
check "the control plane is back" "$lab" start controlplane
check "and resolves" eventually resolves ok-4.stalled.test
# One that waits for a reader is killed by the lab after 30 s.
stops() { timeout $((25 * patience)) "$lab" stop "$1"; }
check "the control plane stops" stops controlplane
check "and the data plane" stops dataplane

# A reader is back: weir reports the number of lost lines.
cat <&7 >$tmp/dataplane.tail & reader=$!
cat <&8 >$tmp/controlplane.tail & readers="$reader $!"
check "the data plane starts" "$lab" start dataplane
check "the control plane starts" "$lab" start controlplane
check "their lines are there" eventually eval 'grep -qa serving $tmp/controlplane.tail && [ -s $tmp/dataplane.tail ]'
kill $readers 2>/dev/null
# What judges the audit log reads files, not pipes.
for what in dataplane controlplane; do
	rm $logs/$what.log && cat $tmp/$what.log $tmp/$what.tail >$logs/$what.log
done
finish
