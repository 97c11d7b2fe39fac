#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The archive of tools/bench --bundle runs where nothing is installed: in a root of its own that has a shell and its libc,
# /proc, /sys, /dev and /tmp.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

bundle=$tmp/bundle.tar.xz
empty=$tmp/root
rows=$tmp/rows.json
# On a disk: the archive unpacked is larger than what some machines give a tmpfs.
unpacked=$(mktemp -d /tmp/weir-test-bundle-XXXXXX)
trap 'umount -R $empty 2>/dev/null; rm -rf "$unpacked"' EXIT

empty_root() {
	local file
	mkdir $empty && mount --bind "$unpacked" $empty &&
		mkdir $empty/proc $empty/sys $empty/dev $empty/tmp $empty/bin || return
	mount -t proc proc $empty/proc && mount -t sysfs sys $empty/sys && mount --rbind /dev $empty/dev || return
	cp "$(readlink -f /bin/sh)" $empty/bin/sh || return
	for file in $(ldd /bin/sh | grep -o '/[^ ]*'); do
		mkdir -p "$empty${file%/*}" && cp "$file" "$empty$file" || return
	done
	tar -xf $bundle -C $empty
}
inside() { env -u WEIR_CLOCK chroot $empty /bin/sh /weir-bench/run "$@"; } # the file of that clock is not in there
has() { jq -es --arg goal "$1" --arg metric "$2" 'any(.goal == $goal and .metric == $metric and (.value | type == "number"))' $rows; }
quick() { inside quick >$tmp/out && grep "^{" $tmp/out >$rows; }

check "tools/bench --bundle" "$root/tools/bench" --bundle $bundle --built --build "$WEIR_BUILD"
check "at most 60 MiB" test "$(stat -c %s $bundle)" -le $((60 << 20))
check "a root with nothing but a shell" empty_root
check "run quick" quick
check "the packet path, by a driver of the archive" has G7 over_reflector
check "one resolver" has M2 alone
check "two resolvers" has M3 ratio
for program in weir-dataplane weir-controlplane; do
	same "$program" "$("$WEIR_BUILD"/*/$program --version)" "$(inside $program --version)"
done
check "a program that is not there" test "$(inside nothing >/dev/null 2>&1 && echo runs)" = ''
finish
