#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# tools/version in a clone, a worktree, an archive of `git archive`, a package's tree and a bare folder; a dirty tree; and the
# programs that are built, which say one version. usage: test_version.sh SOURCE_ROOT PROGRAM...
root=$1 built=$PWD
shift
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

same() { # WHAT WANTED GOT
	[ "$2" = "$3" ] && return
	bad=$((bad + 1))
	echo "not ok: $1: '$3', not '$2'"
}
git() { command git -c user.name=a -c user.email=a@b.invalid -c init.defaultBranch=main "$@"; }

mkdir -p "$dir/tree/tools" && cd "$dir/tree" || exit 1
cp "$root/tools/version" "$root/tools/commit.txt" tools/ && cp "$root/.gitattributes" . || exit 1
printf "project('weir', 'c',\n  version: '7.8.9',\n" >meson.build
# What the file says in an archive is not what a checkout says.
printf '$Format:%%H %%ct$\n' | cmp -s - tools/commit.txt || printf '$Format:%%H %%ct$\n' >tools/commit.txt
same "no git, no commit" 7.8.9+unknown "$(tools/version)"
same "nor a hash" unknown "$(tools/version --commit)"
git init -q . && git add -A &&
	GIT_AUTHOR_DATE='1700000000 +0300' GIT_COMMITTER_DATE='1700000000 +0300' git commit -q -m one || exit 1
hash=$(git rev-parse HEAD)
clean=7.8.9+git20231114221320.$(printf %.8s "$hash")
same "a clone" "$clean" "$(tools/version)"
same "its hash" "$hash" "$(tools/version --commit)"
same "from another folder" "$clean" "$(cd / && "$dir/tree/tools/version")"
same "as C" "const struct build build_here = {\"$clean\", \"$hash\"};" "$(tools/version --source | grep build_here)"
touch meson.build new
same "a file that git does not know, and one that was touched" "$clean" "$(tools/version)"
git worktree add -q "$dir/beside" 2>/dev/null
same "a worktree" "$clean" "$("$dir/beside/tools/version")"
git archive --format=tar --prefix=archive/ HEAD | tar -x -C "$dir"
same "an archive" "$clean" "$("$dir/archive/tools/version")"
cp -r "$dir/archive" inside
same "an archive inside of another clone" "$clean" "$(inside/tools/version)"
echo more >>meson.build
same "a dirty tree" "$clean.dirty" "$(tools/version)"
same "a dirty worktree is another" "$clean" "$("$dir/beside/tools/version")"
tools/version --facts >"$dir/archive/tools/commit.txt"
same "a package's tree of a dirty one" "$clean.dirty" "$("$dir/archive/tools/version")"
rm "$dir/archive/tools/commit.txt"
same "no file" 7.8.9+unknown "$("$dir/archive/tools/version")"
mv .git "$dir/away"
same "a worktree whose clone is gone" 7.8.9+unknown "$("$dir/beside/tools/version")"

said=
for program; do
	program=$(cd "$built" && realpath "$program")
	one=$("$program" --version | sed -E 's/^[^ ]+ ([^ ,]+).*/\1/')
	case $one in
	*+git??????????????.????????* | *+unknown) ;;
	*) same "$program --version" "a version with its commit" "$one" ;;
	esac
	same "$program and the one before" "${said:=$one}" "$one"
done
[ $bad = 0 ]
