#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Nobody but root holds up tools/lab: another user can neither make the file of its lock nor open it. In a /run of its own.
# usage: test_lab_lock.sh SOURCE_ROOT
if [ -z "${WEIR_LOCK_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null || { echo "skipped: needs root for a mount namespace"; exit 77; }
	WEIR_LOCK_INSIDE=1 exec unshare --mount "$BASH" "$0" "$@"
fi
mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 1777 /run/lock || exit 1
stranger=(setpriv --reuid 65534 --regid 65534 --clear-groups)
bad=0
# The name that a lock in /run/lock had.
"${stranger[@]}" flock --no-fork /run/lock/weir-lab-254 sleep 60 &
holder=$!
trap 'kill $holder' EXIT
for _ in $(seq 100); do [ -e /run/lock/weir-lab-254 ] && break; sleep 0.1; done
[ -e /run/lock/weir-lab-254 ] || { echo "not ok: nobody holds the lock that was" && exit 1; }
timeout 10 "$1/tools/lab" --name 254 down >/run/said 2>&1 || { echo "not ok: ends with $?: $(cat /run/said)" && bad=1; }
"${stranger[@]}" flock --nonblock /run/lab-of-weir-254 true 2>/dev/null && { bad=1; echo "not ok: any user may hold the lock"; }
[ -e /run/lab-of-weir-254 ] || { bad=1; echo "not ok: no lock"; }
exit $bad
