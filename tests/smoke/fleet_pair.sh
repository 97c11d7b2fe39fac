# SPDX-License-Identifier: BSD-3-Clause
# Two boxes for tests of a fleet: box 2 has taken the configuration of box 1, with a name that box 1 blocks. A test sources it.
. "$(dirname "$0")/fleet_boxes.sh"

held() { [ "$(fleet 1 '.primary.boxes[] | select(.name == "box2") | "\(.current) \(.result)"')" = "true held" ]; }
reported() { [ "$(fleet 1 '.primary.boxes[] | select(.name == "box2") | .result')" = "$1" ]; }
reason() { fleet 1 '.primary.boxes[] | select(.name == "box2") | .reason'; }
watched() { [ "$(ctl "$1" --json status | jq .controlplane.config_version.watch_left_s)" -gt 0 ]; }
settles() { eventually eval "later 3; ! watched $1"; } # the health watch of a version takes 10 s
listens '' 'waves: []'
for number in 1 2; do must "box $number gets control.listen" restart $number; done
umask 077
token() { ctl "$1" token create "$2" --role sync 2>>$tmp/token.said; }
must "a token with the role sync" eval 'token 1 box2 >$dir/box2.token'
must "one of box 2" eval 'token 2 box1 >$dir/box1.token'
post() { # post BOX TOKEN PATH FIELD...: the status of the reply, whose body is in $tmp/body
	local number=$1 token=$2 path=$3 field fields=() && shift 3
	for field; do fields+=(--data-urlencode "$field"); done
	curl -s -m 10 -o $tmp/body -w '%{http_code}' --cacert $dir/ca.pem -H "Authorization: Bearer $(cat $dir/$token.token)" \
		"${fields[@]}" "https://127.0.0.1:996$number/v1/$path"
}
report() { # report BOX TOKEN EPOCH
	post "$1" "$2" sync protocol=2 box=probe epoch="$3" primary=box9 digest= version=0 result=none reason= ready=1 unix_ms=1 software=x later=1
}
for path in status fleet 'config/history'; do
	same "which may not GET /$path" 403 "$(curl -s -o $tmp/body -w '%{http_code}' --cacert $dir/ca.pem \
		-H "Authorization: Bearer $(cat $dir/box2.token)" "https://127.0.0.1:9961/v1/$path")"
done
same "nor promote" 403 "$(post 1 box2 fleet/promote a=b)"
same "nor post nonsense" 400 "$(post 1 box2 sync protocol=2 box=x)"
must "a token to read" eval 'ctl 1 token create eye --role read >$dir/eye.token 2>/dev/null'
same "whose role may not have the shared part" 403 "$(report 1 eye 0)"

echo "# a change of the primary arrives"
follows_box1 2 box2
apply() { # apply BOX: its file, while the clock goes on
	local apply
	ctl "$1" config apply >$tmp/apply.$1 2>&1 &
	apply=$!
	while kill -0 $apply 2>/dev/null; do
		! watched "$1" || later 4 # a connection of the API lives for 30 s
		sleep 0.3
	done
	wait $apply || { cat $tmp/apply.$1 && false; }
}
must "box 2 gets a primary" apply 2
must "it takes the primary's configuration" eventually eval 'later 2; held'
same "by sync" sync "$(ctl 2 --json config history | jq -r 'first(.versions[] | select(.what | startswith("sync"))).who')"
check "a name resolves" eventually is 2 ok-1.fleet.test NOERROR
must "box 1 blocks it" ctl 1 deny ok-1.fleet.test
must "box 1 does" eventually is 1 ok-1.fleet.test NXDOMAIN
must "its health holds" settles 1
must "then box 2 blocks it, too" eventually is 2 ok-1.fleet.test NXDOMAIN
must "and holds" eventually eval 'later 2; held'
