#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What tools/bare takes as proven: each release by its own line, and which files make it new. usage: test_bare.sh SOURCE_ROOT
set -u
root=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export XDG_CACHE_HOME=$dir/cache GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null PATH=$dir/bin:$PATH

same() { # WHAT WANTED GOT
	[ "$2" = "$3" ] && return
	bad=$((bad + 1))
	echo "not ok: $1: '$3', not '$2'"
}
mkdir -p "$dir/bin" "$dir/tree/tools" "$dir/tree/include/weir" "$dir/tree/controlplane" "$dir/tree/tests" && cd "$dir/tree" || exit 1
printf '#!/bin/sh\nexit 1\n' >"$dir/bin/mmdebstrap" && chmod 755 "$dir/bin/mmdebstrap" # no system is made
cp "$root/tools/bare" "$root/tools/common.sh" "$root/tools/packages" tools/ || exit 1
echo "dep = dependency('libdpdk')" >meson.build
printf '#include <curl/curl.h>\nint a;\n' >controlplane/asks.c
printf '#include <string.h>\n#include "own.h"\nint b;\n' >controlplane/own.c
printf '#include <curl/curl.h>\nint c;\n' >tests/test_asks.c
echo 'int d;' >include/weir/own.h
git init -q -b main . && git add -A && git -c user.name=a -c user.email=a@b.invalid commit -q -m one || exit 1

# knows SUITE: whether that system need not be made
knows() { tools/bare "$1" 2>&1 | grep -c '^proven'; }
for suite in bookworm trixie; do
	tools/bare $suite --inputs >tools/bare.proven
	same "$suite by its own line" 1 "$(knows $suite)"
done
same "12 by none of 13" 0 "$(knows bookworm)"
tools/bare --inputs >tools/bare.proven
same "nor 13 by one of 12" 0 "$(knows trixie)"

# changed FILE TEXT: for which releases the inputs are new with this line in it
changed() {
	local suite before new=''
	cp "$1" "$dir/kept"
	for suite in bookworm trixie; do
		before=$(tools/bare $suite --inputs)
		echo "$2" >>"$1"
		[ "$before" = "$(tools/bare $suite --inputs)" ] || new+=" $suite"
		cp "$dir/kept" "$1"
	done
	echo "${new# }"
}
same "a package of the build" "bookworm trixie" "$(changed tools/packages 'build libnew-dev')"
same "one of the tests" "" "$(changed tools/packages 'test new')"
same "a dependency" "bookworm trixie" "$(changed meson.build "new = dependency('libnew')")"
same "a system header" "bookworm trixie" "$(changed controlplane/own.c '#include <new.h>')"
same "another line for meson" trixie "$(changed meson.build 'new = 1')"
same "of a header of include/weir" trixie "$(changed include/weir/own.h 'int new;')"
same "of a user of a library" trixie "$(changed controlplane/asks.c 'int new;')"
same "of another file" "" "$(changed controlplane/own.c 'int new;')"
same "of a test" "" "$(changed tests/test_asks.c 'int new;')"

# Beside others, each in a folder of its own; one that waits for them leaves theirs alone when it ends.
if [ "$(id -u)" = 0 ]; then
	kept=$XDG_CACHE_HOME/weir/bare/bookworm-enter
	mkdir -p "$kept."{1,2,3,4} && touch "$kept."{1,2,3,4}/own || exit 1
	exec 4>"$kept.1.lock" && flock 4
	said=$(tools/bare --enter true 2>&1)
	same "the first folder is another's: it goes on in the second" "1 0" "$(grep -c 'mmdebstrap failed' <<<"$said") $(grep -c waiting <<<"$said")"
	same "what is in whose" "$kept.1/own $kept.3/own $kept.4/own" "$(echo "$kept".*/own)"
	for i in 2 3 4; do
		exec {lock}>"$kept.$i.lock" && flock "$lock"
	done
	setsid tools/bare --enter true 2>"$dir/said" &
	for ((i = 0; i < 200; i++)); do
		! grep -qs waiting "$dir/said" || break
		sleep 0.05
	done
	same "with all of them taken it waits" 1 "$(grep -c waiting "$dir/said")"
	kill -- -$!
	wait $!
	same "and ends" "$kept.1/own $kept.3/own $kept.4/own" "$(echo "$kept".*/own)"
fi
[ $bad = 0 ]
