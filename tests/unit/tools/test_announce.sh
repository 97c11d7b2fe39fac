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

say down
: >"$dir/done"
WEIRCTL=$dir/weirctl ANNOUNCE="test ! -e $dir/broken && echo up >>$dir/done" WITHDRAW="echo down >>$dir/done" "$announce" >"$dir/log" 2>&1 &
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
say ready
did "down up down up down up"
say hangs # it counts as one that is down
from=$(date +%s)
did "down up down up down up down"
took=$(($(date +%s) - from))
if [ $took -lt 4 ] || [ $took -gt 7 ]; then
	echo "withdrawn after $took s of silence, not 5" >&2
	exit 1
fi
say ready
did "down up down up down up down up"
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
