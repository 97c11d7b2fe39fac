#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Waves of a roll-out on three boxes: a good change reaches the canary first and then all; a change that breaks answers stays with
# the canary, and all is as before by itself, with the reason in the fleet's status, in events and in the audit log.
boxes=3
. "$(dirname "$0")/fleet_boxes.sh"

rollout() { fleet 1 ".primary.rollout | $1"; }
state_is() { [ "$(rollout .state)" = "$1" ]; }
all_hold() { [ "$(rollout '"\(.state) \(.held) \(.boxes)"')" = "done 2 2" ]; }
listens '' 'canaries: [box3]'
for number in 1 2 3; do must "box $number gets control.listen" restart $number; done
umask 077
must "a token with the role sync" eval 'ctl 1 token create boxes --role sync >$dir/boxes.token 2>>$tmp/token.said'
for number in 2 3; do
	follows_box1 $number boxes
	must "box $number gets a primary" ctl $number config apply
done
must "both hold the primary's version" eventually all_hold

echo "# a good change goes from wave to wave"
must "box 1 blocks a name" ctl 1 deny ok-1.fleet.test
must "which begins a roll-out" eventually state_is rolling
check "which the primary's status shows" eval 'ctl 1 fleet status | grep -q "wave 1 of 3"'
check "and fleet diff what it changes" eval 'ctl 1 fleet diff | grep -q "ok-1.fleet.test"'
check "the canary has it" eventually is 3 ok-1.fleet.test NXDOMAIN
same "and box 2 does not have it yet" NOERROR "$(result 2 ok-1.fleet.test)"
must "fleet apply follows it to its end" ctl 1 fleet apply
check "all hold it" eventually all_hold
check "box 2 has it, too" is 2 ok-1.fleet.test NXDOMAIN
same "by one wave after the other" "box2 3, box3 1" "$(fleet 1 '.primary.boxes | sort_by(.name) | map("\(.name) \(.wave)") | join(", ")')"
check "there is an event of each wave" eval '[ "$(ctl 1 --json events | grep -c sync_wave)" -ge 1 ]'

echo "# a change that breaks answers"
upstream 5302 $tmp/up2.log
second=$upstream
taken=$(fleet 2 .secondary.taken)
sed -i 's|127.0.0.1:5301|127.0.0.1:5302|' "$(folder 1)/weir.yaml"
must "box 1 gets another upstream server" ctl 1 config apply
must "which goes to the canary" eventually state_is rolling
kill $second
ask() { for i in $(seq 60); do result 3 new-$i.fleet.test >/dev/null; [ -e $tmp/asked ] && return; done; }
ask &
must "it is taken back when the server ends" eventually state_is taken_back
touch $tmp/asked
same "because of the canary" box3 "$(rollout .box)"
check "with its reason" eval '[ -n "$(rollout .reason)" ]'
check "fleet status has it" eval 'ctl 1 fleet status | grep -q "TAKEN BACK.*box3"'
check "so has an event" eval 'ctl 1 --json events | grep sync_rollout_stopped | grep -q box3'
check "and the canary's" eval 'ctl 3 --json events | grep -q sync_refused'
check "the reason holds" eval 'ctl 1 ready --for human | grep -q "is taken back from all boxes, because of box3: "'
back() { [ "$(ctl 1 --json config history | jq -r ".versions[0] | \"\(.who) \(.why)\"" | cut -c1-9)" = "sync box3" ]; }
must "box 1 is back by itself" eventually back
check "which its audit log says" eval 'ctl 1 --json audit | grep -q "take back version .*box3"'
check "and the canary's says its own" eval 'ctl 3 --json audit | grep -q "take back version"'
for number in 1 2 3; do check "box $number answers" eventually is $number again-$number.fleet.test NOERROR; done
same "box 2 never had it" "$taken" "$(fleet 2 .secondary.taken)"
check "all hold the version before" eventually eval '[ "$(fleet 1 "[.primary.boxes[] | select(.current)] | length")" = 2 ]'

echo "# the operator gives the change up"
sed -i 's|127.0.0.1:5302|127.0.0.1:5301|' "$(folder 1)/weir.yaml"
must "fleet apply ends the roll-out" ctl 1 fleet apply
same "which is over" "done 2 2" "$(rollout '"\(.state) \(.held) \(.boxes)"')"
check "and so is the reason" eventually eval '! has_reason 1 sync_rollout'

echo "# an operator takes a change back"
must "box 1 blocks another name" ctl 1 deny ok-2.fleet.test
must "which begins a roll-out" eventually state_is rolling
must "fleet stop --back" ctl 1 fleet stop --back
same "has an end only once box 1 is back" "taken_back false" "$(rollout '"\(.state) \(.goes_back)"')"
check "which resolves the name again" eventually is 1 ok-2.fleet.test NOERROR
fleet_end
