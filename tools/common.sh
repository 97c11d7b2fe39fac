# SPDX-License-Identifier: BSD-3-Clause
# Shared by tools/lab, tools/test and the smoke tests (bash). Sourced, never run.

weir_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# lock_open NAME: descriptor 9, on a file that only root can open. In /run/lock any user could make it, and hold the lock.
lock_open() { (umask 077 && : >>"/run/$1") && exec 9>>"/run/$1"; }

# Root may build what another user checked out.
in_git() { git -c safe.directory='*' -C "$weir_root" "$@"; }

# Debian packages of the given kinds (build, lab, test) that are not installed yet.
packages_missing() {
	local kind name only kinds=" $* " wanted=() there release
	release=$(. /etc/os-release && say "${VERSION_CODENAME-}")
	while read -r kind name only; do
		[[ $kinds == *" $kind "* ]] && [ "${only:-$release}" = "$release" ] && wanted+=("$name") # no kind is empty or begins with #
	done <"$weir_root/tools/packages"
	there=$'\n'$(dpkg-query -W -f='${binary:Package} ${Status}\n' "${wanted[@]}" 2>/dev/null)$'\n'
	for name in "${wanted[@]}"; do
		[[ $there =~ $'\n'"$name"(:[a-z0-9]+)?' '[a-z]+' ok installed'$'\n' ]] || printf '%s ' "$name"
	done
}

# A subshell, so that what it makes goes also when it is interrupted.
packages_apt() (
	policy=/usr/sbin/policy-rc.d mark='made by weir: tools/common.sh'
	log=$(mktemp) || exit 1
	made=
	trap 'rm -f "$log" $made' EXIT
	if [ ! -e $policy ] || grep -qs "$mark" $policy; then
		made=$policy
		printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >$policy && chmod 755 $policy
	fi
	# shellcheck disable=SC2086
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1; } \
		>"$log" 2>&1 && exit 0
	tail -n 20 "$log" >&2
	exit 1
)

# Installs what is missing, without starting any daemon that comes with it.
packages_install() {
	local missing
	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || die "needs these packages: $missing"
	[ "$(id -u)" = 0 ] || die "needs root to install: $missing"
	say "installing: $missing"
	packages_apt "$missing" || die "apt-get failed"
	# A daemon that came along must not run at the next boot.
	local name
	for name in frr bird2:bird nsd dnsdist haproxy unbound knot bind9:named knot-resolver:kresd.target knot-resolver:kres-cache-gc keepalived \
		prometheus redis-server clickhouse-server; do
		case " $missing " in *" ${name%:*} "*) systemctl disable --now "${name#*:}" >/dev/null 2>&1 || true ;; esac
	done
}

# For mmdebstrap, what this machine's apt knows of Debian's archives: its sources, as another release has them, and its settings.
apt_sources() { # SUITE
	local own
	own=$(. /etc/os-release && say "${VERSION_CODENAME-}")
	apt-get indextargets --format '$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		sed -nE "s/^Debian (.*) ${own:-none}(-updates|-security)? /\\1 $1\\2 /p"
}
apt_settings() { apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries|ForceIPv)' || true; }

# Into this folder. Where all else is installed apt's lists may be old, or none.
package_fetch() { apt-get download -qq "$1" || { apt-get update -qq && apt-get download -qq "$1"; }; }

# Packages of which the tests need a program, and which would take over the machine if they were installed: unpacked into
# build/unpacked. Where that fails the test that needs it does (clients_test).
packages_unpack() {
	local kind name dir
	while read -r kind name _; do
		[ "$kind" = unpack ] || continue
		dir=$weir_root/build/unpacked/$name
		[ ! -d "$dir" ] && command -v apt-get >/dev/null || continue
		say "unpacking: $name"
		mkdir -p "$dir.part" && (cd "$dir.part" && package_fetch "$name" >/dev/null 2>&1 && dpkg -x "$name"_*.deb . && rm ./*.deb) &&
			mv "$dir.part" "$dir" || say "cannot unpack $name"
		rm -rf "$dir.part"
	done <"$weir_root/tools/packages"
}

# The folder of a package of npm (NAME@VERSION), outside the tree: it is large, and the same for every checkout.
npm_folder() { printf '%s/weir/npm/%s\n' "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}" "${1//\//_}"; }

# Packages that Debian does not have, each the very one whose sum stands behind its name, for what is in it runs as root.
# Where that fails the tests say what they leave out: soon where no name server answers, within $npm_s in any case.
npm_s=400
packages_npm() {
	local kind name sum dir
	while read -r kind name sum _; do
		[ "$kind" = npm ] || continue
		dir=$(npm_folder "$name")
		[ ! -d "$dir" ] || continue
		command -v npm >/dev/null || { say "no npm to fetch $name with" && continue; }
		say "fetching: $name"
		rm -rf "$dir.part" && mkdir -p "$dir.part" && npm_install "$dir.part" "$name" &&
			grep -qF "\"$sum\"" "$dir.part/node_modules/.package-lock.json" &&
			mv "$dir.part" "$dir" || say "cannot fetch $name"
		rm -rf "$dir.part"
	done <"$weir_root/tools/packages"
}

# npm_install DIR NAME: what it downloads is not kept a second time in the user's cache.
npm_install() {
	timeout -k 10 $npm_s npm install --prefix "$1" --cache "$1/cache" --no-save --no-audit --no-fund --ignore-scripts \
		--fetch-retries=1 --fetch-retry-mintimeout=2000 --loglevel=error "$2" \
		</dev/null >/dev/null 2>&1 && rm -rf "$1/cache"
}

# npm_file PATTERN: a file of a package that packages_npm fetched. Fails without one.
npm_file() {
	local kind name file
	while read -r kind name _; do
		[ "$kind" = npm ] || continue
		for file in "$(npm_folder "$name")"/node_modules/$1; do
			[ -e "$file" ] && say "$file" && return
		done
	done <"$weir_root/tools/packages"
	return 1
}

# What `ninja` builds without the programs of tests that are not built by default: some versions of meson add those.
default_targets() {
	ninja -C "$1" -t query all |
		awk '/^  input:/ {on = 1; next} /^  outputs:/ {on = 0} on && $NF !~ /^meson-(test|benchmark)-prereq$/ {print $NF}'
}

# build_tree DIR [meson setup options...]: configures once, then builds $build_targets, a word of which may be `default`
# (default_targets), which they are if not given; output only when it fails. One at a time in a directory: two ninjas there
# would write the same files.
# The lock is ninja's as well, which may outlive a script that was killed.
build_tree() {
	mkdir -p "$1" || return 1
	{
		flock -n 9 || { say "waiting for another build in $1" >&2 && flock 9; }
		build_tree_alone "$@"
	} 9>"$1/build.lock"
}

# build_tree_as TREE DIR: the same, set up as tools/test sets up its tree of that name
build_tree_as() {
	local options
	# shellcheck disable=SC2086 # several words
	options=$(/usr/bin/python3 -B "$weir_root/tools/runner/tests.py" "$1") && build_tree "$2" $options
}

build_tree_alone() {
	local dir=$1 log targets=" ${build_targets:-default} "
	local -x CCACHE_NOHASHDIR=1 # what one clone compiled is there for the next, though debug information names the first
	shift
	log=$(mktemp)
	if [ ! -e "$dir/build.ninja" ]; then
		if ! meson setup "$dir" "$weir_root" "$@" >"$log" 2>&1; then
			tail -n 30 "$log" >&2
			rm -f "$log"
			return 1
		fi
	fi
	# What default is depends on the meson files, which may be newer than the tree.
	ninja -C "$dir" build.ninja >"$log" 2>&1 || { tail -n 30 "$log" >&2 && rm -f "$log" && return 1; }
	[[ $targets != *' default '* ]] || targets=${targets/ default / $(default_targets "$dir") }
	# shellcheck disable=SC2086 # several words
	if ! ninja -C "$dir" $targets >"$log" 2>&1; then
		grep -E 'error|FAILED|warning' "$log" | head -n 30 >&2
		tail -n 5 "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}
