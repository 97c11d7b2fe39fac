#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two boxes with one configuration fetch a list once: the secondary takes it from its primary, and asks the list's own server where
# the primary has no newer copy.
. "$(dirname "$0")/fleet_boxes.sh"

held() { ctl 1 --json fleet status | jq -e 'any(.primary.boxes[]; .name == "box2" and .current)' >$tmp/held; }
requests() { grep -c '"GET /ads.txt ' $tmp/www.log; }
list() { ctl "$1" --json blocklist status | jq -r ".lists[] | select(.name == \"ads\") | $2"; }
# list_code NUMBER: the status with which the box answers a request for the list.
list_code() {
	local id && id=$(basename "$(folder "$1")"/state/lists/*.list .list)
	curl -s -m 5 -o /dev/null -w '%{http_code}' --unix-socket /run/weir-"$1"/control/control.sock "http://weir/v1/sync/list?id=$id&hash=0&good=9999999999"
}
mkdir $tmp/www
# list_has NUMBER: the list has this name alone, and a date of its own (If-Modified-Since knows whole seconds).
list_has() { printf 'ads-%s.fleet.test\n' "$1" >$tmp/www/ads.txt && touch -d "$((60 - 10 * $1)) seconds ago" $tmp/www/ads.txt; }
list_has 1
$python -u -m http.server 5380 --bind 127.0.0.1 --directory $tmp/www >$tmp/www.log 2>&1 &
listens
must "box 1 has a list" sed -i "s|^  lists:|  update: {allow_private: true, interval: 3600, jitter: 0}\n&\n    - name: ads\n      url: http://127.0.0.1:5380/ads.txt|" "$(folder 1)/weir.yaml"
for number in 1 2; do must "box $number has control.listen" restart $number; done
must "box 1 blocks by it" eventually is 1 ads-1.fleet.test NXDOMAIN
same "for which it asked once" 1 "$(requests)"
umask 077
must "a token" eval 'ctl 1 token create box2 --role sync >$dir/box2.token 2>$tmp/said'
follows_box1 2 box2
must "box 2 gets a primary" restart 2
must "it takes the configuration" eventually eval 'later 2; held'
must "and blocks by the list" eventually is 2 ads-1.fleet.test NXDOMAIN
same "whose server saw nothing of it" 1 "$(requests)"
same "a secondary hands out none" 409 "$(list_code 2)"
same "the primary does, but no later copy" 404 "$(list_code 1)"
same "as the primary has it" "$(list 1 .last_good_unix_s)" "$(list 2 .last_good_unix_s)"

echo "# another list"
list_has 2
ahead 3601
must "box 1 fetches it" eventually is 1 ads-2.fleet.test NXDOMAIN
ahead 61
must "box 2 takes it" eventually is 2 ads-2.fleet.test NXDOMAIN
same "from the primary" 2 "$(requests)"

echo "# the primary is away"
must "box 1 stops" "$lab" --name 1 stop controlplane
list_has 3
ahead 3661
check "box 2 asks the list's server in the end" eventually eval 'ahead 601; is 2 ads-3.fleet.test NXDOMAIN'
check "once" [ "$(requests)" = 3 ]
fleet_end
