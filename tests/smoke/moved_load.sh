# SPDX-License-Identifier: BSD-3-Clause
# Sourced by tests of an address that moves: six clients (moved_load.py) in the network that `lan CMD...` enters.

# moved_load ADDRESS4 ADDRESS6 ZONE: until load_ends
moved_load() {
	rm -f $tmp/stop
	lan $python "$smoke_dir/rig/moved_load.py" "$1" "$2" $tmp/stop "$3" >$tmp/load 2>&1 &
	load=$!
	sleep 2
}
load_ends() {
	sleep 2
	touch $tmp/stop
	wait $load
	[ "$(jq -s 'length == 6 and all(.answers > 50)' $tmp/load)" = true ]
}
most() { jq -s "map($1) | max" $tmp/load; }
