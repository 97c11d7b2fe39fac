#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# weir-announce with a weirctl whose replies the test decides: what it runs, and when.
# usage: test_announce.sh WEIR_ANNOUNCE
set -eu
announce=$1
dir=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
cat >"$dir/weirctl" <<'FAKE'
#!/bin/sh
case $(cat "${0%/*}/reply") in
ready) echo '{"ready": true}' ;;
not) echo '{"ready": false}' && exit 1 ;;
hangs) exec sleep 60 ;;
*) exit 1 ;; # the control plane is down
esac
FAKE
chmod +x "$dir/weirctl"
say() { echo "$1" >"$dir/new" && mv "$dir/new" "$dir/reply"; }
# did TEXT: what the commands wrote, within 10 seconds
did() {
	for _ in $(seq 100); do
		[ "$(xargs <"$dir/done")" = "$1" ] && return
		sleep 0.1
	done
	echo "did $(xargs <"$dir/done"), not $1" >&2
	exit 1
}
# lasted LEAST MOST WHAT: the seconds since `from`
lasted() {
	took=$(($(date +%s) - from))
	[ $took -ge "$1" ] && [ $took -le "$2" ] && return
	echo "$3 for $took s, not $1 to $2" >&2
	exit 1
}

say down
: >"$dir/done"
HOLD_S=2 WEIRCTL=$dir/weirctl ANNOUNCE="test ! -e $dir/broken && echo up >>$dir/done" WITHDRAW="echo down >>$dir/done" "$announce" >"$dir/log" 2>&1 &
pid=$!
did "down"      # at the start
say ready
did "down up"
say not
did "down up down" # at once
touch "$dir/broken"
say ready
sleep 2.5
did "down up down"
rm "$dir/broken" # it is tried again
did "down up down up"
say down # the control plane restarts
sleep 2.5
say ready
sleep 1.5
did "down up down up"
say down # and for long
did "down up down up down"
from=$(date +%s)
say ready # the first reply does not announce it
did "down up down up down up"
lasted 2 4 "withdrawn after silence"
say hangs # it counts as one that is down
from=$(date +%s)
did "down up down up down up down"
lasted 4 7 "announced in silence"
from=$(date +%s)
say ready
sleep 2.2
say down # all of the time in a row
sleep 1.2
say ready
did "down up down up down up down up"
lasted 7 10 "withdrawn after a second silence"
kill "$pid" # TERM
did "down up down up down up down up down"
wait "$pid"

# BIRD or FRR that has restarted gets the command again.
: >"$dir/done"
AGAIN_S=2 WEIRCTL=$dir/weirctl ANNOUNCE="echo up >>$dir/done" WITHDRAW="echo down >>$dir/done" "$announce" >"$dir/again" 2>&1 &
pid=$!
did "down up up up"
say not
did "down up up up down down"
kill "$pid"
wait "$pid"
# A command that hangs, and ignores the signal that ends it, does not keep the address of a box that is down.
: >"$dir/done"
say ready
WEIRCTL=$dir/weirctl ANNOUNCE="echo up >>$dir/done; trap '' TERM; sleep 60" WITHDRAW="echo down >>$dir/done" "$announce" >"$dir/hung" 2>&1 &
pid=$!
did "down up"
from=$(date +%s)
say not
did "down up down"
lasted 0 6 "announced by a command that hangs"
kill "$pid"
wait "$pid"
# A signal while the command runs: it may have announced.
: >"$dir/done"
say ready
WEIRCTL=$dir/weirctl ANNOUNCE="echo up >>$dir/done; sleep 1" WITHDRAW="echo down >>$dir/done" "$announce" >"$dir/ended" 2>&1 &
pid=$!
did "down up"
kill "$pid"
wait "$pid"
did "down up down"
[ "$(xargs <"$dir/again")" = "withdrawn announced withdrawn" ] || { cat "$dir/again" && exit 1; }
grep -q 'announced: the command failed' "$dir/log"
echo ok
