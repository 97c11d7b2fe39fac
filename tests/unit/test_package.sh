#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What tools/package builds is the commit's alone, wherever, whenever and by whomever it is copied; the order of versions, and what the
# changelog says. usage: test_package.sh SOURCE_ROOT
root=$1
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
next() { # TITLE
	date=$((${date:-1700000000} + 60))
	GIT_AUTHOR_DATE="$date +0300" GIT_COMMITTER_DATE="$date +0300" git commit -q -m "$1"
}
version() { tools/package --version; }
older() { dpkg --compare-versions "$1" lt "$2" || same "the order of versions" "$1 < $2" "$1 >= $2"; }
# Of each file: its name, mode, time and digest.
all_of() { (cd "$1" && find . -type f -printf '%p %m %T@ ' -exec sha256sum {} \; | sed 's/ [^ ]*$//' | sort); }

mkdir "$dir/tree" && cd "$dir/tree" || exit 1
(cd "$root" && git -c safe.directory='*' ls-files -z tools docs README.md meson.build .gitattributes | tar -c --null -T -) | tar -x || exit 1
git init -q . && git add -A && next 'weir: begin' || exit 1
first=$(version)
git tag v7.9.0-rc.1 && candidate=$(version)
for title in 'lists: read them twice' 'page: show what "weirctl status" shows'; do
	echo >>README.md
	git add README.md && next "$title" || exit 1
done
between=$(version)
git tag v7.9.0 && release=$(version)
suffix=+deb$(. /etc/os-release && echo "${VERSION_ID-}")
same "a candidate" "7.9.0~rc.1$suffix" "$candidate"
same "a release" "7.9.0$suffix" "$release"
older "$first" "$candidate"
older "$candidate" "$between"
older "$between" "$release"
older "$release" "${release}1"
git commit -q --allow-empty -m 'weir: go on'
older "$release" "$(version)"
older "$(version)" "7.9.1$suffix"
git reset -q --hard v7.9.0
git tag -d v7.9.0-rc.1 >/dev/null && git tag v7.8.0 HEAD^^

umask 022
tools/package --tree "$dir/one" || bad=$((bad + 1))
git clone -q --no-local . "$dir/a clone elsewhere" && cd "$dir/a clone elsewhere" || exit 1
umask 077
(TZ=Pacific/Chatham LC_ALL=C.UTF-8 && export TZ LC_ALL && tools/package --tree "$dir/two") || bad=$((bad + 1))
all_of "$dir/one" >"$dir/all-one" && all_of "$dir/two" >"$dir/all-two"
same "both are the same" '' "$(diff "$dir/all-one" "$dir/all-two")"
same "they are something" 0 "$([ "$(wc -l <"$dir/all-one")" -gt 100 ]; echo $?)"
same "its time is the commit's" "$date" "$(dpkg-parsechangelog -l "$dir/two/debian/changelog" -S Timestamp)"
same "its version" "$release" "$(dpkg-parsechangelog -l "$dir/two/debian/changelog" -S Version)"
same "what has changed" "  * Commit $(git rev-parse HEAD).
  * page: show what \"weirctl status\" shows
  * lists: read them twice" "$(grep '^  ' "$dir/two/debian/changelog")"
same "no path of a builder" '' "$(grep -rlF "$dir" "$dir/one" "$dir/two")"
[ $bad = 0 ]
