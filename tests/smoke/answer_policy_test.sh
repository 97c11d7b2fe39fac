#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What answers lead to, in a running lab: names behind aliases, addresses, patterns, rebinding; by group, and at once
# when the lists change although the answers are cached.
. "$(dirname "$0")/_init.sh"

lab_up
cp $config $tmp/plain.yaml
check "one more client" client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2) &&
	ip addr add 198.18.0.3/24 dev $dev'
asked() { up_log | grep -c " $1 1\$"; }
free() { short -b 198.18.0.3 "$1" A; } # by a client of the group with its own list
status_of() { rcode -b "${2:-198.18.0.2}" @$service "$1" A; }
echo other.test >$tmp/other.list
conf() { # conf BLOCKING GROUPS: the lab's configuration with one more list, these lines in `blocking`, these groups
	awk -v more="$1" -v path="$tmp/other.list" '
		{ print }
		/^blocking:/ { print more }
		/^  lists:/ { print "    - {name: other, path: " path "}" }' $tmp/plain.yaml >$config
	echo "$2" >>$config
	taken_over weirctl config reload
}
groups='groups: [{name: few, clients: [198.18.0.3], lists: [other]}]'

same "an alias to a listed name is blocked" NXDOMAIN "$(status_of cname_ads_blocked_test.shop.test)"
once=$(asked cname_ads_blocked_test.shop.test) # 1, or more when the upstream was late
same "one to another name is not" 198.18.200.1 "$(short cname_fine_test.shop.test A | tail -1)"
check "a group with another list" conf "" "$groups"
is_free() { [ "$(free ok.blocked.test)" = 198.18.200.1 ]; }
check "activated" eventually is_free
same "cloaked for everyone" NXDOMAIN "$(status_of cname_ads_blocked_test.shop.test)"
same "not for that group, from the cache" 198.18.200.1 "$(free cname_ads_blocked_test.shop.test | tail -1)"
same "asked once" $once "$(asked cname_ads_blocked_test.shop.test)"
same "still cloaked for everyone" NXDOMAIN "$(status_of cname_ads_blocked_test.shop.test)"
check "by the packet path" test "$(dp verdict blocked_answer)" -ge 2

same "an alias to a name on no list, cached" 198.18.200.1 "$(free cname_cdn_late_test.shop.test | tail -1)"
once=$(asked cname_cdn_late_test.shop.test)
echo late.test >>$tmp/other.list
check "a reload puts it on one" taken_over weirctl blocklist reload
same "blocked at once, although cached" NXDOMAIN "$(status_of cname_cdn_late_test.shop.test 198.18.0.3)"
same "without a query" $once "$(asked cname_cdn_late_test.shop.test)"
sed -i /late/d $tmp/other.list
check "a reload takes it off again" taken_over weirctl blocklist reload
same "answered at once" 198.18.200.1 "$(free cname_cdn_late_test.shop.test | tail -1)"
same "without a query" $once "$(asked cname_cdn_late_test.shop.test)"
check "an allow entry" conf "  allow: [ads.blocked.test]" "$groups"
same "lets the alias through" 198.18.200.1 "$(short cname_ads_blocked_test.shop.test A | tail -1)"

check "patterns of the operator" conf '  deny: ["/^metric[0-9]+[.]/"]' "$groups"
same "block names" NXDOMAIN "$(status_of metric7.shop.test)"
same "asked of nobody" 0 "$(asked metric7.shop.test)"
same "others are answered" 198.18.200.1 "$(short ok-3000.metric.test A)"
same "a name behind an alias too" NXDOMAIN "$(status_of cname_metric1_cdn_test.shop.test)"

check "an allow pattern of the operator" conf '  allow: ["/^ok-[0-9]+[.]fine/"]' "$groups"
same "unblocks names of a list" 198.18.200.1 "$(short ok-3000.fine.blocked.test A)"
same "from the cache too" 198.18.200.1 "$(short ok-3000.fine.blocked.test A)"
same "and no others" NXDOMAIN "$(status_of ok-3000.other.blocked.test)"
same "of which nobody was asked" 0 "$(asked ok-3000.other.blocked.test)"

same "a private address, without protection" 10.0.0.1 "$(short ip_10_0_0_1.shop.test A)"
check "rebinding protection" conf '  rebinding: {enabled: true, allow: [home.test]}' "$groups"
same "blocked at once, although cached" NXDOMAIN "$(status_of ip_10_0_0_1.shop.test)"
same "not below names that may" 10.0.0.1 "$(short ip_10_0_0_1.home.test A)"
same "public addresses pass" 198.18.200.1 "$(short ok-3000.shop.test A)"
check "every frame has one verdict" verdicts_add_up
finish
