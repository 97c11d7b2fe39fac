#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two weirs on one hugetlbfs mount, as in two containers: each has its own /run, /dev/shm and network, and both use the runtime
# directory /run/weir. Neither touches the other's regions, whatever is killed, started or removed.
. "$(dirname "$0")/_init.sh"

huge_pages 160
huge=$(huge_mounts | head -n 1) # that of _init.sh, where the machine has one
if [ -z "$huge" ]; then
	huge=/mnt
	mount -t hugetlbfs -o pagesize=2M none $huge || { echo "skipped: no hugetlbfs"; exit 77; }
fi
unset WEIR_CLOCK # a file of this /run, where a box has its own
declare -A holder
box() { local number=$1 && shift && nsenter --target "${holder[$number]}" --mount --net -- "$@"; }
ctl() { local number=$1 && shift && box "$number" "$WEIR_BUILD/tools/ctl/weirctl" -c /run/weir/lab/weir.yaml "$@"; }
ask() { box "$1" "$lab" exec kdig +short +timeout=5 +retry=2 @$service "$2" A; }
where() { ctl "$1" --json status | jq -r ".controlplane.generations.$2"; }
hits() { ctl "$1" --json stats --interval 0 | jq .dataplane.verdicts.hit; }
folders() { find $huge -mindepth 1 -maxdepth 1 -name 'run-weir*' | wc -l; }

# make_box NUMBER: a box whose upstream answers with 198.18.20NUMBER.1
make_box() {
	unshare --mount --net --propagation private sleep infinity &
	holder[$1]=$!
	eventually apart "$1" || return
	box "$1" bash -c 'mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && ip link set lo up' || return
	box "$1" $python "$root/tests/lab/upstream.py" 5301 /run/up.log 127.0.0.1 198.18.20$1.1 &
	eventually box_listens "$1"
}
apart() { [ "$(readlink "/proc/${holder[$1]}/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
box_listens() { [ "$(box "$1" ss -Htunl "sport = :5301" | wc -l)" = 2 ]; }
box_up() { box "$1" "$lab" up --upstream 127.0.0.1:5301; }

for number in 1 2; do
	check "box $number" make_box $number
	check "box $number is up" box_up $number
	same "its cache is on huge pages" hugetlbfs "$(where $number l0_where)"
done
same "each has a folder of its own" 2 "$(folders)"
same "box 2 resolves" 198.18.202.1 "$(ask 2 ok-3000.x.test)"
check "the data plane of box 1 restarted" box 1 bash -c "'$lab' kill dataplane && '$lab' start dataplane"
same "box 1 answers what its own upstream says" 198.18.201.1 "$(ask 1 ok-3000.x.test)"
check "the control plane of box 1 restarted" box 1 bash -c "'$lab' kill controlplane && '$lab' start controlplane"
check "the data plane of box 2 restarted" box 2 bash -c "'$lab' kill dataplane && '$lab' start dataplane"
same "each still says its own" "198.18.201.1 198.18.202.1" "$(ask 1 ok-3000.x.test) $(ask 2 ok-3000.x.test)"
before=$(hits 2)
same "from its own cache" 198.18.202.1 "$(ask 2 ok-3000.x.test)"
check "which was a hit" test "$(hits 2)" -gt "$before"

echo "# one of them stops, is removed, comes back"
check "box 1 goes down" box 1 "$lab" down
same "and takes its own folder alone" 1 "$(folders)"
check "box 2 restarts from its cache" box 2 bash -c "'$lab' kill dataplane && '$lab' start dataplane"
same "box 2 answers" 198.18.202.1 "$(ask 2 ok-3000.x.test)"
check "box 1 comes up again" box_up 1
same "with a folder of its own" 2 "$(folders)"
same "and answers for itself" 198.18.201.1 "$(ask 1 ok-3000.x.test)"

echo "# a smoke test, as tools/chaos is one, has a mount of its own"
cat >$tmp/beside.sh <<SCRIPT
. "$smoke_dir/_init.sh"
echo "sees \$(find \$(huge_mounts) -mindepth 1 | wc -l) files in \$(huge_mounts | wc -l) mount"
find \$(huge_mounts) -mindepth 1 -delete
SCRIPT
same "a test beside them sees nothing of theirs" "sees 0 files in 1 mount" "$(env -u WEIR_SMOKE_INSIDE "$BASH" $tmp/beside.sh)"
same "and removes nothing" 2 "$(folders)"
check "box 2 restarts from its cache" box 2 bash -c "'$lab' kill dataplane && '$lab' start dataplane"
before=$(hits 2)
same "box 2 answers" 198.18.202.1 "$(ask 2 ok-3000.x.test)"
check "from its cache" test "$(hits 2)" -gt "$before"

echo "# one of them dies with all it had but the folder"
for what in dataplane controlplane; do check "box 1: $what killed" box 1 "$lab" kill $what; done
box 1 rm -rf /run/weir
check "box 2's data plane starts" box 2 bash -c "'$lab' kill dataplane && '$lab' start dataplane"
same "and removed the folder that nobody has" 1 "$(folders)"
same "box 2 answers" 198.18.202.1 "$(ask 2 ok-3000.x.test)"
check "box 2 goes down" box 2 "$lab" down
same "nothing is left in the mount" '' "$(ls -A $huge)"
kill "${holder[@]}" $(pgrep -f /run/up.log) 2>/dev/null
finish
