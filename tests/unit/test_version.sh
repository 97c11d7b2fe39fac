#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# tools/version in a clone, a worktree, an archive of `git archive`, a package's tree and a bare folder; a dirty tree; releases;
# and the programs that are built, which say one version. usage: test_version.sh SOURCE_ROOT PROGRAM...
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
printf '$Format:%%H %%ct %%(describe:tags,match=v[0-9]*.[0-9]*.[0-9]*)$\n' >tools/commit.txt
grep -qF '$' "$root/tools/commit.txt" && same "the file of archives" "$(cat tools/commit.txt)" "$(cat "$root/tools/commit.txt")"
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

# releases: the commit that a tag names, and those after it; other tags are none
git checkout -q meson.build && git tag nightly && git tag v2 && git tag v7.9.0-rc.1
archive() { rm -rf "$dir/archive" && git archive --format=tar --prefix=archive/ HEAD | tar -x -C "$dir" && "$dir/archive/tools/version"; }
same "a release's candidate" 7.9.0-rc.1 "$(tools/version)"
same "nothing before it" '' "$(tools/version --since)"
same "its archive" 7.9.0-rc.1 "$(archive)"
tools/version --facts >"$dir/archive/tools/commit.txt"
same "its package's tree" 7.9.0-rc.1 "$("$dir/archive/tools/version")"
echo more >>meson.build
same "a dirty one is no release" "7.9.0-rc.1+${clean#*+}.dirty" "$(tools/version)"
tools/version --facts >"$dir/archive/tools/commit.txt"
same "nor is its package's tree" "7.9.0-rc.1+${clean#*+}.dirty" "$("$dir/archive/tools/version")"
GIT_AUTHOR_DATE='1700000060 +0300' GIT_COMMITTER_DATE='1700000060 +0300' git commit -q -a -m two || exit 1
later=7.9.0-rc.1+git20231114221420.$(git rev-parse HEAD | cut -c 1-8)
same "a commit behind it" "$later" "$(tools/version)"
same "its archive" "$later" "$(archive)"
same "what it follows" v7.9.0-rc.1 "$(tools/version --since)"
git tag -a -m 'As it is.' v7.9.0
same "the release" 7.9.0 "$(tools/version)"
same "it follows none" '' "$(tools/version --since)"
for n in v7.9.1-rc.1 v7.9.1; do
	git commit -q --allow-empty -m $n && git tag $n || exit 1
done
same "a release follows a release" v7.9.0 "$(tools/version --since)"
git commit -q --allow-empty -m more
same "a commit behind it follows it" v7.9.1 "$(tools/version --since)"
mv .git "$dir/away"
same "a worktree whose clone is gone" 7.8.9+unknown "$("$dir/beside/tools/version")"

said=
for program; do
	program=$(cd "$built" && realpath "$program")
	one=$("$program" --version | sed -E 's/^[^ ]+ ([^ ,]+).*/\1/')
	case $one in
	*+git??????????????.????????* | *+unknown) ;;
	*) same "$program --version" "$("$root/tools/version")" "$one" ;;
	esac
	same "$program and the one before" "${said:=$one}" "$one"
done
[ $bad = 0 ]
