#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# build_tree of tools/common.sh: one at a time in a directory. usage: test_build_tree.sh SOURCE_ROOT
set -u
. "$1/tools/common.sh"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin"
export PATH=$dir/bin:$PATH told=$dir/told

# In place of the real ones: each says when it comes and goes; who meets another one there says that.
cat >"$dir/bin/meson" <<'MESON'
#!/bin/sh
mkdir "$told.meson" || echo met >>"$told"
sleep 0.2
: >"$2/build.ninja"
echo meson >>"$told"
rmdir "$told.meson"
MESON
cat >"$dir/bin/ninja" <<'NINJA'
#!/bin/sh
[ "$3" != -t ] || exit 0         # `ninja -C DIR -t query all`: nothing by default
[ "$3" != build.ninja ] || exit 0 # whether meson has to configure again
mkdir "$told.ninja" || echo met >>"$told"
sleep 0.2
echo ninja >>"$told"
rmdir "$told.ninja"
[ ! -e "$2/broken" ]
NINJA
chmod 755 "$dir"/bin/*

for i in 1 2 3 4; do build_tree "$dir/tree" 2>/dev/null & done
wait
got=$(sort "$told" | uniq -c | tr -s ' \n' ' ')
[ "$got" = ' 1 meson 4 ninja ' ] || die "four builds of one tree: $got"
: >"$dir/tree/broken"
! build_tree "$dir/tree" 2>/dev/null || die "a build that fails is none"
