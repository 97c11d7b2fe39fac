#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each process stopped, not dead: noticed and named, handled like a dead one for answers, back on continue.
. "$(dirname "$0")/_init.sh"

lab_up
says() { weirctl status 2>&1 | grep -iE "$1"; }
logged() { grep -q "$2" "/run/weir/lab/$1.log"; }
same "one that will be stale" 198.18.200.1 "$(short ok-1.stale.test A)"

echo "# control plane stopped"
stop "$(pid controlplane)"
check "weirctl names it" eventually says '^control plane +hung'
check "so does the data plane" eventually logged dataplane 'control plane hangs'
same "a cached name is answered" 198.18.200.1 "$(short ok-3000.cached.test A)"
check "a blocked one is blocked" grep -q NXDOMAIN <<<"$(client kdig @$service blocked.test A)"
miss=$(client kdig +edns +timeout=20 +retry=0 @$service ok.not-cached.test A)
check "a miss gets SERVFAIL" grep -q 'status: SERVFAIL' <<<"$miss"
check "with EDE 14" grep -qiE 'not ready|EDE: 14' <<<"$miss"
stale=$(client kdig +edns +timeout=20 +retry=0 @$service ok-1.stale.test A)
check "an expired name gets its stale answer" grep -q 198.18.200.1 <<<"$stale"
check "with EDE 3" grep -qi stale <<<"$stale"
check "weirctl status fails" bash -c "! '$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml status"
kill -CONT "$(pid controlplane)"
check "it goes on where it was" eventually resolves ok.continued.test
check "weirctl status is content" eventually weirctl status
check "the data plane says so" eventually logged dataplane 'control plane is back'

echo "# control plane stopped, data plane killed and started"
same "cached before" 198.18.200.1 "$(short ok-3000.cached-2.test A)"
asked() { up_log | grep -c cached-2.test; }
asked=$(asked) # 1, or more when the upstream was late
stop "$(pid controlplane)"
check "data plane killed" "$lab" kill dataplane
check "started" "$lab" start dataplane
check "a cached name is answered" eventually resolves ok-3000.cached-2.test
check "a blocked one is blocked" grep -q NXDOMAIN <<<"$(client kdig @$service blocked.test A)"
miss=$(client kdig +edns +timeout=20 +retry=0 @$service ok.not-cached-2.test A)
check "a miss gets SERVFAIL with EDE 14" grep -qiE 'not ready|EDE: 14' <<<"$miss"
check "the control plane is still stopped" grep -q '^State:.*T' "/proc/$(pid controlplane)/status"
kill -CONT "$(pid controlplane)"
check "it goes on" eventually resolves ok.continued-3.test
check "and the cache with it" resolves ok-3000.cached-2.test
same "nothing cached was asked again" "$asked" "$(asked)"
check "weirctl status is content" eventually weirctl status

echo "# data plane stopped"
generation() { weirctl --json status | jq ".controlplane.generations.rule_image"; }
refused() { weirctl --json status | jq ".controlplane.generations.refused_busy"; }
published=$(generation)
entries() { weirctl --json status | jq .controlplane.l0_entries; }
had=$(entries)
asked_for() { [ "$(resolver inflight)" -gt 0 ] || [ "$(entries)" -gt "$had" ]; }
client kdig +timeout=1 +retry=0 @$service slow.insert.test A >/dev/null & # its answer comes in 1 s
client=$!
check "a question is on its way" eventually asked_for
stop "$(pid dataplane)"
check "weirctl names it" eventually says '^data plane +hung'
check "so does the control plane" eventually logged controlplane 'data plane hangs'
for i in 1 2; do
	echo "more-$i.test" >>$list
	check "reload $i is published" weirctl blocklist reload
done
echo more-3.test >>$list
check "reload 3 is refused, and does not wait for what hangs" bash -c \
	"timeout 60 '$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml blocklist reload; rc=\$?; [ \$rc != 0 -a \$rc != 124 ]"
check "and weirctl status says why" grep -q 'a worker still uses old ones' <<<"$(weirctl status)"
check "counted" test "$(refused)" -ge 1
same "two generations on" $((published + 2)) "$(generation)"
wait $client
check "an answer that came meanwhile was stored" eventually eval '[ "$(entries)" -gt "$had" ]'
hung() { [ "$(weirctl --json status | jq .controlplane.generations.workers_hung)" = 1 ]; }
check "a silent worker is counted" eventually hung
kill -CONT "$(pid dataplane)"
check "it answers again" eventually resolves ok.continued-2.test
check "the control plane says so" eventually logged controlplane 'data plane is back'
check "the reload is taken now" eventually weirctl blocklist reload
check "and blocks" eventually blocks more-3.test
check "old generations are let go" eventually bash -c \
	"[ \$('$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml --json status | jq .controlplane.generations.retired_waiting) = 0 ]"
check "every frame has one verdict" verdicts_add_up

echo "# data plane stopped, a full cache of 1 MiB"
# ask FROM TO WORD SECONDS: as many questions, so long after one another
ask() {
	client $python -c 'import socket, sys, time
sys.path.insert(0, sys.argv[1])
from wire import query
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(int(sys.argv[2]), int(sys.argv[3])):
    sock.sendto(query(f"{sys.argv[4]}.f{n}.test", 1, n & 65535), ("198.18.0.53", 53))
    time.sleep(float(sys.argv[5]))' "$smoke_dir/rig" "$@"
}
l0() { weirctl --json stats --interval 0 | jq ".controlplane.l0.$1"; }
asking() { [ "$(resolver inflight)" -gt 0 ]; }
answered() { ! asking; }
"$lab" stop controlplane && "$lab" stop dataplane
# Busy: a worker that is stopped while it sleeps holds nothing, and nothing waits for it.
sed -i 's/l0_mb: .*/l0_mb: 1/; s/poll: .*/poll: busy/' /run/weir/lab/weir.yaml
check "a small cache, a busy worker" bash -c "'$lab' start controlplane && '$lab' start dataplane"
full() { [ "$(l0 evicted_space)" -gt 0 ] || { ask "$from" $((from += 2000)) ok-3000 0.0003 && false; }; }
from=0
check "it is filled" eventually full
check "and all is answered" eventually answered
lived=$(pid controlplane) refused=$(l0 refused_nospace) kept=$(l0 entries)
stopped=$(pid dataplane)
# Answers for a stopped worker, each after 1 s. On a busy machine many may have come before it is stopped: then new questions.
held_up() {
	ask "$from" $((from += 1500)) slow 0.0001
	stop "$stopped"
	[ "$(resolver inflight)" -ge 1000 ] || { kill -CONT "$stopped" && false; }
}
from=100000
check "enough answers on their way to use up what is free" eventually held_up
check "they come while no record can be reused" eventually answered
echo "# $(($(l0 refused_nospace) - refused)) answers not stored, $(l0 units_retired) units wait"
check "what found no room is counted" test "$(l0 refused_nospace)" -gt "$refused"
check "what was cached is kept" test "$(l0 entries)" -gt $((kept * 8 / 10))
for i in 1 2; do
	echo "full-$i.test" >>$list
	check "reload $i is published" weirctl blocklist reload
done
echo full-3.test >>$list
check "the next is refused" bash -c "! '$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml blocklist reload 2>&1"
kill -CONT "$(pid dataplane)"
check "a new name is stored again" eventually resolves ok-3000.room.test
check "the units came back" eventually bash -c \
	"[ \$('$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml --json stats --interval 0 | jq .controlplane.l0.units_retired) -lt 1000 ]"
check "blocked as the last reload says" eventually bash -c \
	"'$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml blocklist reload"
same "the same control plane" "$lived" "$(pid controlplane)"
check "every frame has one verdict" verdicts_add_up
finish
