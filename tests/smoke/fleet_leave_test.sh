#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A secondary that leaves the fleet: with its own files, or with the configuration that it has, which verbs then edit.
. "$(dirname "$0")/fleet_pair.sh"

echo "# box 2 leaves"
number=$(ctl 2 --json status | jq .controlplane.config_version.version)
must "box 2 leaves with its own files" ctl 2 fleet leave --own-files
check "which do not block the name" eventually is 2 ok-1.fleet.test NOERROR
must "it comes back by a rollback" ctl 2 config rollback --keep "$number"
must "and blocks again" eventually is 2 ok-1.fleet.test NXDOMAIN
must "box 2 leaves as it is" ctl 2 fleet leave
same "it is no secondary" null "$(fleet 2 .secondary)"
check "it blocks as before" is 2 ok-1.fleet.test NXDOMAIN
must "and edits what came from box 1" ctl 2 deny --remove ok-1.fleet.test
check "which is gone then" eventually is 2 ok-1.fleet.test NOERROR
check "leaving again changes nothing" eval 'ctl 2 fleet leave >$tmp/said; grep -q "nothing changed" $tmp/said'
check "its own files would count beside that" eval '! ctl 2 fleet leave --own-files 2>$tmp/said'
check "all reasons are in one line" grep -q 'address: given twice; config: blocking.lists' $tmp/said
fleet_end
