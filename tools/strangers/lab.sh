#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One run of tools/strangers: a lab of the instrumented build in namespaces of its own. usage: lab.sh SPEC
# (drive.py has its keys); WEIR_BUILD, WEIR_STRANGERS
export WEIR_BUILT=1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/tests/smoke/_init.sh"
. "$smoke_dir/rig/soak_zone.sh"
soak_up || exit 3
$python "$root/tools/strangers/drive.py" "$lab" "$WEIR_BUILD/tools/ctl/weirctl" $tmp "$(realpath "$1")"
status=$?
"$lab" down >/dev/null
exit $status
