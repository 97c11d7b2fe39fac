#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The cache and the rules on hugetlbfs where there is room, in memory where there is not; warm restarts of both kinds.
. "$(dirname "$0")/_init.sh"

huge_pages 48
umount -l -a -t hugetlbfs # the one of this test is the only one that anybody sees
mkdir /run/huge && mount -t hugetlbfs -o pagesize=2M none /run/huge || { echo "skipped: no hugetlbfs"; exit 77; }

where() { weirctl --json status | jq -r ".controlplane.generations.$1"; }
must "up" "$lab" up --offline
short() { client kdig +short +timeout=5 +retry=2 @$service www.lab.example A; }
same "it answers" 198.18.255.80 "$(short)"
same "the cache is on huge pages" hugetlbfs "$(where l0_where)"
same "so are the rules" hugetlbfs "$(where rule_image_where)"
check "the control plane restarted" bash -c "'$lab' kill controlplane && '$lab' start controlplane"
same "a cached name is answered" 198.18.255.80 "$(short)"
check "the data plane restarted" bash -c "'$lab' kill dataplane && '$lab' start dataplane"
same "a cached name is answered by L0" 198.18.255.80 "$(short)"
check "the first query was a hit" test "$(dp verdict hit)" -ge 1 -a "$(dp verdict miss)" = 0
audit_check

# A data plane in another mount namespace, as in a container of its own. What it cannot see it never activates.
check "killed" "$lab" kill dataplane
check "started there" unshare --mount --propagation private -- bash -c 'umount -l /run/huge && "$0" start dataplane' "$lab"
ended() { ! runs controlplane; }
check "a cache that it cannot see ends the control plane" eventually ended
check "which says who sees what" grep -q 'sees the hugetlbfs of /run/huge/.*, the data plane sees none that it may use' /run/weir/lab/controlplane.log
check "it is started again" "$lab" start controlplane
in_memory() { [ "$(where l0_where) $(where rule_image_where) $(where rules_lag_ms)" = "tmpfs tmpfs 0" ]; }
check "cache and rules are in memory, and active" eventually in_memory
same "and it answers" 198.18.255.80 "$(short)"
check "doctor says so" eval 'weirctl doctor hugepages | grep -q "the data plane sees no hugetlbfs that it may use, not that of /run/huge"'
check "/ready has the reason" eval 'weirctl ready | grep -q "the data plane sees none"'
check "one that sees it" bash -c "'$lab' kill dataplane && '$lab' start dataplane"
check "gets the rules on huge pages" eval 'weirctl blocklist reload --force && [ "$(where rule_image_where)" = hugetlbfs ]'
same "and answers" 198.18.255.80 "$(short)"
check "down" "$lab" down
same "nothing is left there" '' "$(ls /run/huge)"

# Others have the pages when it starts, and give them back: as where an operator reserves some later.
umount /run/huge
must "a mount of 64 pages" mount -t hugetlbfs -o pagesize=2M,size=128M none /run/huge
must "others have 60 of them" fallocate -l 120M /run/huge/others
check "up with too few pages" "$lab" up --offline
same "it answers as well" 198.18.255.80 "$(short)"
same "the cache is in memory" tmpfs "$(where l0_where)"
names() { client xargs kdig +short +timeout=5 +retry=2 @$service <$tmp/names | grep -c '^198\.18\.255\.99$'; }
hits() { dp verdict hit; }
printf 'n%d.wild.lab.example\n' {1..40} >$tmp/names
same "names are cached" 40 "$(names)"
check "the control plane restarted" bash -c "'$lab' kill controlplane && '$lab' start controlplane"
lies() { [ "$(where l0_where)" = "$1" ]; }
check "the cache stays there" eventually lies tmpfs
check "and the log says why" grep -q 'cache stays in ordinary memory: /run/huge/.*: region l0.2 needs 32 huge pages, [34] are free$' /run/weir/lab/controlplane.log
check "the pages are free" rm /run/huge/others
check "the control plane restarted" bash -c "'$lab' kill controlplane && '$lab' start controlplane"
check "the cache is on huge pages" eventually lies hugetlbfs
files() { find /run/weir /run/huge /dev/shm -name 'l0.*' | cut -d/ -f1-3 | sort -u; }
same "and nowhere else" /run/huge "$(files)"
before=$(hits)
same "all names are answered" 40 "$(names)"
same "by L0" $((before + 40)) "$(hits)"
check "the data plane restarted" bash -c "'$lab' kill dataplane && '$lab' start dataplane"
same "all names are answered" 40 "$(names)"
same "by L0 from the first on" "40 0" "$(hits) $(dp verdict miss)"
finish
