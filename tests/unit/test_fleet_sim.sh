#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tools/fleet-sim leaves a lab alone that was there before it. In a /run of its own. usage: test_fleet_sim.sh SOURCE_ROOT
if [ -z "${WEIR_SIM_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] && unshare --mount --net true 2>/dev/null || { echo "skipped: needs root for namespaces"; exit 77; }
	WEIR_SIM_INSIDE=1 exec unshare --mount --net "$BASH" "$0" "$@"
fi
mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/weir-254/lab && cd /run/weir-254/lab && touch up && echo 'cache: {l0_mb: 64}' >weir.yaml || exit 1
bad=0
timeout 40 "$1/tools/fleet-sim" --lab 254 >/run/said 2>&1
[ $? = 1 ] && grep -q 'lab 254 is there' /run/said || { echo "not ok: it says: $(cat /run/said)" && bad=1; }
[ "$(ls /run/weir-254/lab) $(cat /run/weir-254/lab/weir.yaml)" = $'up\nweir.yaml cache: {l0_mb: 64}' ] || { echo "not ok: the lab has changed" && bad=1; }
exit $bad
