#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two boxes with one configuration: a change of the primary arrives at the secondary, a version that the secondary refuses or takes
# back is reported with its reason, a primary that is away and a secondary that is killed change nothing, and promotions decide.
. "$(dirname "$0")/fleet_pair.sh"

check "fleet status says so" eval 'ctl 1 fleet status | tee $tmp/said; grep -Eq "^ *box2 .* current " $tmp/said'
check "and on box 2" eval 'ctl 2 fleet status >$tmp/said && grep -q "a secondary" $tmp/said && grep -q held $tmp/said'
check "there is an event" eval 'ctl 2 --json events | grep -q sync_taken'
check "box 2 refuses a change of its own" eval '! ctl 2 deny other.test >$tmp/said 2>&1'
check "and names the primary" grep -q 127.0.0.1:9961 $tmp/said
for word in apply diff; do
	check "fleet $word does, too" eval '! ctl 2 fleet $word >$tmp/said 2>&1 && grep -q "secondary: its primary, https://127.0.0.1:9961," $tmp/said'
done

echo "# signed versions"
public() { openssl pkey -in $dir/$1.key -pubout | sed -n 2p; }
for name in first second; do must "a key" openssl genpkey -algorithm ed25519 -out $dir/$name.key; done
chmod 644 $dir/first.key $dir/second.key # of a lab
sed -i "s|^  name: box2|&\n  trusted_keys: [$(public first)]|" "$(folder 2)/weir.yaml"
must "box 2 trusts a key" apply 2
check "it says what the primary lacks" eventually eval 'later 5; fleet 2 .secondary.why | grep -q "is not signed: set sync.sign_key_file"'
check "as a reason" has_reason 2 sync_version
must "box 1 blocks another name" ctl 1 deny ok-7.fleet.test
must "which its health holds with" settles 1
ahead 60
same "box 2 takes nothing unsigned" NOERROR "$(result 2 ok-7.fleet.test)"
sed -i "s|^  name: box1|&\n  sign_key_file: $dir/second.key|" "$(folder 1)/weir.yaml"
must "box 1 signs with another key" apply 1
check "box 2 says so" eventually eval 'ahead 20; fleet 2 .secondary.why | grep -q "is of no key in sync.trusted_keys"'
same "and takes nothing" NOERROR "$(result 2 ok-7.fleet.test)"
sed -i "s|$(public first)|&, $(public second)|" "$(folder 2)/weir.yaml"
must "it trusts that key, too" apply 2
must "then it blocks the name" eventually eval 'later 5; is 2 ok-7.fleet.test NXDOMAIN'
must "and holds" eventually eval 'later 2; held'
check "without a reason" eventually eval '! has_reason 2 sync_version'

echo "# the primary is away"
must "box 1 stops" "$lab" --name 1 stop controlplane
check "box 2 says why" eventually eval '[ -n "$(fleet 2 .secondary.why)" ]'
check "it blocks" is 2 ok-1.fleet.test NXDOMAIN
must "box 2 restarts meanwhile" restart 2
check "and still blocks" eventually is 2 ok-1.fleet.test NXDOMAIN
ahead 310
check "after five minutes it is a reason" eventually has_reason 2 sync_primary
must "box 1 is back" "$lab" --name 1 start controlplane
must "box 2 sees it" eventually eval 'later 5; held'
check "and the reason is gone" eventually eval '! has_reason 2 sync_primary'

echo "# a version that box 2 refuses"
printf '  own: [blocking]\n' >$tmp/own
sed -i "/^  name: box2/r $tmp/own" "$(folder 2)/weir.yaml"
must "box 2 keeps its lists" apply 2
must "it holds with them" eventually eval 'later 2; held'
echo more.test >$dir/more.txt
sed -i "s|^  lists:|&\n    - name: more\n      path: $dir/more.txt|" "$(folder 1)/weir.yaml"
printf 'groups:\n  - name: kids\n    clients: [198.18.7.0/24]\n    lists: [more]\n' >>"$(folder 1)/weir.yaml"
must "box 1 gets a group with a list that box 2 lacks" apply 1
must "box 2 refuses it" eventually reported refused
check "with the reason" eval 'reason | grep -q more'
check "which is a reason of box 2" eventually has_reason 2 sync_version
check "box 2 is as before" is 2 ok-1.fleet.test NXDOMAIN
before=$(fleet 2 .secondary.refused)
ahead 100
sleep 2
same "and does not try again" "$before" "$(fleet 2 .secondary.refused)"
sed -i '/^groups:/,$d' "$(folder 1)/weir.yaml"
must "box 1 without the group" apply 1
must "box 2 holds again" eventually eval 'later 2; held'

echo "# box 2 is killed while it takes a version"
must "box 1 blocks another name" ctl 1 deny ok-2.fleet.test
must "its health holds" settles 1
must "box 2 takes it" eventually is 2 ok-2.fleet.test NXDOMAIN # its watch goes on
must "and is killed" "$lab" --name 2 kill controlplane
must "it starts" "$lab" --name 2 start controlplane
must "and holds the version in the end" eventually eval 'later 5; held'
check "it blocks that name" eventually is 2 ok-2.fleet.test NXDOMAIN

echo "# promotion"
must "box 2 becomes the primary" ctl 2 fleet promote
same "with an epoch of its own" "2 null" "$(fleet 2 '"\(.epoch) \(.secondary)"')"
sed -i "s|^  name: box1|&\n  primary: https://127.0.0.1:9962\n  token_file: $dir/box1.token\n  ca_file: $dir/ca.pem|" "$(folder 1)/weir.yaml"
must "box 1 follows it" apply 1
follows() { [ "$(fleet 1 '"\(.epoch) \(.secondary.primary) \(.secondary.result)"')" = "2 box2 held" ]; }
must "and has its epoch" eventually eval 'later 5; follows'
must "box 1 restarts" restart 1
check "and knows the epoch" eventually follows
same "box 2 hands nothing out after a higher epoch" 409 "$(report 2 box1 9)"
check "and names both" eval 'grep -q "box2 has epoch 2, but box9 has epoch 9" $tmp/body'
check "which is a reason" eventually has_reason 2 sync_primaries
must "until it is promoted" ctl 2 fleet promote
same "to a higher one" 10 "$(fleet 2 .epoch)"
must "which box 1 follows" eventually eval '[ "$(fleet 1 .epoch)" = 10 ]'
must "box 1 becomes the primary" ctl 1 fleet promote
must "and polls box 2 again" ctl 1 config clear sync.primary
check "box 1 names both" eventually eval '[ "$(fleet 1 .secondary.why | grep -c "box2 has epoch 10, but box1 has epoch 11")" = 1 ]'
check "which is its reason" has_reason 1 sync_primaries
fleet_end
