#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The miss path against a scripted upstream: one packet however many ask, and expired names under load.
. "$(dirname "$0")/_init.sh"

upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301
check "10,000 clients ask one cold name: one upstream packet" \
	client $python "$smoke_dir/rig/miss_load.py" cold $tmp/up.log
check "20,000 q/s on one expired name: no ring fills, no other name is delayed, no SERVFAIL" \
	client $python "$smoke_dir/rig/miss_load.py" expired $tmp/up.log
same "no miss ring was ever full" 0 "$(($(dp verdict servfail_ring_full) + $(dp verdict drop_ring_full)))"
check "every frame has one verdict" verdicts_add_up
finish
