#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A list of 160,000 domains and more: what is listed and below is blocked, look-alikes are not, a reload loses no query.
. "$(dirname "$0")/_init.sh"

list=$tmp/big.list
real=$root/../shared/lists/real-224k.txt.xz
if [ -r "$real" ]; then
	xz -dc "$real" >$list
else
	$python -c '
for i in range(160000):
    print(f"host{i * 7919 % 1000003:x}.zone{i % 4001}.example{i % 13}.net")' >$list
fi
names=$(wc -l <$list)
check "the list has 150,000 names or more ($names)" test "$names" -ge 150000

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301 --list $list
loaded() { weirctl --json blocklist status | jq -r "$1"; }
built() { [ "$(loaded .building)" = false ]; }
eventually built
check "all of it is loaded ($(loaded .names))" test "$(loaded .names)" -ge $((names * 95 / 100))
check "listed names and names below are blocked, look-alikes are not" \
	client $python "$smoke_dir/rig/blocklist_load.py" names $list
# Queries wait while the worker has no CPU, as they would in a NIC's larger queue.
client ip link set wt0 txqueuelen 10000
client $python "$smoke_dir/rig/blocklist_load.py" steady >$tmp/steady.out 2>&1 &
load=$!
eventually grep -q begins $tmp/steady.out
builds=$(loaded .builds)
for i in 1 2 3; do
	echo "added-$i.reload.test" >>$list
	check "reload $i" taken_over weirctl blocklist reload
	same "it is built and current" NXDOMAIN \
		"$(client kdig @$service added-$i.reload.test A | rcode_of)"
done
same "three builds" $((builds + 3)) "$(loaded .builds)"
check "an unchanged reload" weirctl blocklist reload
same "builds nothing" $((builds + 3)) "$(loaded .builds)"
check "2,000 queries a second meanwhile: none lost, none wrong" wait $load
sed 's/^/  /' $tmp/steady.out

# Bytes that the files of lists and local data ever allocated; `unmade COMMAND`: it allocates none.
made() {
	weirctl --json mem accounts | jq '[.files[] | select(.name |
		test("^(rule|list|hosts|rebinding|group_sources|local_(book|data|seed))")).made_bytes] | add'
}
unmade() {
	local before
	before=$(made) && "$@" >/dev/null && [ "$(made)" = "$before" ]
}
check "their files allocate" test "$(made)" -gt 100000
check "an unchanged reload allocates nothing there once the list is 2 s old" eventually unmade weirctl blocklist reload
unmade_often() { local i; for i in {1..20}; do unmade "$@" || return; done; }
check "nor do 20 more" unmade_often weirctl blocklist reload
check "nor 20 of the configuration, whose file is the same" unmade_often weirctl config reload
echo "added-4.reload.test" >>$list
check "a change is seen all the same" taken_over weirctl blocklist reload
same "at once" NXDOMAIN "$(client kdig @$service added-4.reload.test A | rcode_of)"
# The image that an earlier client over TCP was answered by takes no memory, though no other client asks.
images() { awk '$6 ~ "/rule_image[.]" { print $6, $7 }' /proc/$(pid controlplane)/maps | sort -u; }
no_old_image() { images | grep -q . && ! images | grep -q deleted; }
check "a blocked name over TCP" test "$(client kdig +tcp @$service added-4.reload.test A | rcode_of)" = NXDOMAIN
echo "added-5.reload.test" >>$list
check "another change" taken_over weirctl blocklist reload
check "no image of before stays mapped" eventually no_old_image

rm $list
of() { client kdig @$service "$1" A | rcode_of; }
sed -i 's/^blocking:/&\n  deny: [denied.test]/' /run/weir/lab/weir.yaml
weirctl config reload 2>$tmp/reload.out
same "a list that is gone: reload fails" 1 $?
check "and says what is not updated" grep -q "reloaded, except list \"$(basename $list)\": $list: No such file" $tmp/reload.out
same "it blocks what it blocked" NXDOMAIN "$(of added-3.reload.test)"
check "and holds no other change back" eventually eval '[ "$(of x.denied.test)" = NXDOMAIN ]'
check "restart of the control plane" "$lab" stop controlplane
same "blocked without a control plane" NXDOMAIN \
	"$(client kdig @$service added-2.reload.test A | rcode_of)"
check "start again" "$lab" start controlplane
same "the last good image is there at once" NXDOMAIN \
	"$(client kdig @$service added-1.reload.test A | rcode_of)"
finish
