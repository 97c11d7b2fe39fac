#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# weirctl backup and restore: the files that return, and those that are refused. usage: test_backup.sh WEIRCTL
weirctl=$(realpath "$1") || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0
unset WEIR_CONFIG

fail() {
	bad=$((bad + 1))
	echo "not ok: $*"
	sed 's/^/  /' "$dir/said"
}
# want STATUS TEXT ARGS...: exit status, and a part of what it says
want() {
	status=$1 text=$2
	shift 2
	"$weirctl" "$@" >"$dir/said" 2>&1
	got=$?
	[ $got = "$status" ] && grep -qF -- "$text" "$dir/said" || fail "weirctl $*: status $got, wanted $status and: $text"
}

mkdir -p "$dir/etc/conf.d" "$dir/lib/config" "$dir/lib/store" "$dir/new"
cat >"$dir/etc/weir.yaml" <<CONFIG
include: [conf.d/*.yaml]
runtime: {directory: $dir/run, state_directory: $dir/lib}
dataplane: {ports: [{device: net_null0}], service_addresses: [198.18.0.53/24]}
upstreams: {servers: [{address: 9.9.9.9}]}
CONFIG
echo 'blocking: {deny: [a.example]}' >"$dir/etc/conf.d/deny.yaml"
echo version >"$dir/lib/config/1"
chmod 715 "$dir/etc/conf.d"
[ "$(id -u)" != 0 ] || chown 1234:1235 "$dir/etc/conf.d"
echo rows >"$dir/lib/store/rows"
c="-c $dir/etc/weir.yaml"

# shellcheck disable=SC2086
{
	want 0 '2 files of the configuration' $c backup "$dir/b.tar"
	want 1 'File exists (--force replaces it)' $c backup "$dir/b.tar"
	want 0 '2 files' $c backup --force "$dir/b.tar"
	[ "$(stat -c %a "$dir/b.tar")" = 600 ] || fail "others may read the archive"
	[ "$(tar -tf "$dir/b.tar" | grep -v '/$' | sort | xargs)" = "config/conf.d/deny.yaml config/weir.yaml state/config/1 weir-backup" ] ||
		fail "the archive has $(tar -tf "$dir/b.tar" | xargs)"
	want 0 '"files": 2' $c --json backup --force "$dir/b.tar"
	want 0 'and the state directory' $c backup --all "$dir/all.tar"
	tar -tf "$dir/all.tar" | grep -q '^state/store/rows$' || fail "--all leaves the store out"

	want 0 '2 files could be restored' -c "$dir/new/weir.yaml" restore --dry-run "$dir/b.tar"
	want 0 '"dry_run": true' --json -c "$dir/new/weir.yaml" restore --dry-run "$dir/b.tar"
	[ -z "$(ls -A "$dir/new")" ] || fail "--dry-run leaves something"
	want 0 '2 files restored' -c "$dir/new/weir.yaml" restore "$dir/b.tar"
	diff -r "$dir/etc" "$dir/new" >"$dir/said" || fail "the restored files differ"
	want 1 'File exists (--force' -c "$dir/new/weir.yaml" restore "$dir/b.tar"
	for get in %a %u:%g; do
		[ "$(stat -c $get "$dir/new/conf.d")" = "$(stat -c $get "$dir/etc/conf.d")" ] ||
			fail "the folder is not as it was: $(stat -c "%a %u:%g" "$dir/new/conf.d")"
	done
	echo 'blocking: {deny: [b.example]}' >"$dir/new/conf.d/deny.yaml"
	want 0 '2 files restored' -c "$dir/new/weir.yaml" restore --force "$dir/b.tar"
	grep -q a.example "$dir/new/conf.d/deny.yaml" || fail "--force does not replace"
	grep -q b.example "$dir/new/conf.d/deny.yaml.before" || fail "--force keeps nothing"
	if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
		for n in 1 2 3 4; do # killed behind that call, it leaves each file in its place
			strace -qq -o /dev/null -e inject=rename,unlink,link:signal=KILL:when=$n \
				"$weirctl" -c "$dir/new/weir.yaml" restore --force "$dir/b.tar" >"$dir/said" 2>&1
			[ -f "$dir/new/weir.yaml" ] && [ -f "$dir/new/conf.d/deny.yaml" ] || fail "a kill behind call $n leaves a place empty"
		done
	fi
	rm -r "$dir/new" && mkdir "$dir/new"

	# An included file that is a link, and a name that tar could take for another machine's.
	mv "$dir/etc/conf.d/deny.yaml" "$dir/real.yaml" && ln -s "$dir/real.yaml" "$dir/etc/conf.d/deny.yaml"
	# shellcheck disable=SC2164
	(cd "$dir" && want 0 '2 files' $c backup box:1.tar && want 0 '2 files restored' -c "$dir/new/weir.yaml" restore box:1.tar; exit $bad) || bad=$?
	[ -f "$dir/new/conf.d/deny.yaml" ] && [ ! -L "$dir/new/conf.d/deny.yaml" ] || fail "a link is restored as a link"
	rm "$dir/etc/conf.d/deny.yaml" && mv "$dir/real.yaml" "$dir/etc/conf.d/deny.yaml"
	rm -r "$dir/new" && mkdir "$dir/new"

	# Backups that are none, or hold what must not come back.
	echo text >"$dir/text"
	want 1 'tar cannot take `weir-backup`' -c "$dir/new/weir.yaml" restore "$dir/text"
	want 1 'tar cannot take' -c "$dir/new/weir.yaml" restore "$dir/none"
	mkdir -p "$dir/x/config" && echo "weir-backup 2" >"$dir/x/weir-backup" && tar -cf "$dir/x.tar" -C "$dir/x" weir-backup config
	want 1 'is no backup of this weir' -c "$dir/new/weir.yaml" restore "$dir/x.tar"
	printf 'weir-backup 1\nweir.yaml\n' >"$dir/x/weir-backup"
	echo 'nonsense: 1' >"$dir/x/config/weir.yaml" && tar -cf "$dir/x.tar" -C "$dir/x" weir-backup config
	want 1 'is not restored' -c "$dir/new/weir.yaml" restore "$dir/x.tar"
	cp "$dir/etc/weir.yaml" "$dir/x/config/" && mkdir "$dir/x/config/conf.d" && ln -s /etc/passwd "$dir/x/config/conf.d/p.yaml"
	tar -cf "$dir/x.tar" -C "$dir/x" weir-backup config
	want 1 'something else than plain files' -c "$dir/new/weir.yaml" restore "$dir/x.tar"
	rm -r "$dir/x/config" && ln -s "$dir/etc" "$dir/x/config" && tar -cf "$dir/x.tar" -C "$dir/x" weir-backup config
	want 1 'something else than plain files' -c "$dir/new/weir.yaml" restore "$dir/x.tar"
	[ -z "$(ls -A "$dir/new")" ] || fail "a refused restore leaves something: $(ls -A "$dir/new")"

	rm "$dir/x/config" && cp -r "$dir/etc" "$dir/x/config" && sed -i "s,conf.d/,$dir/etc/&," "$dir/x/config/weir.yaml"
	tar -cf "$dir/x.tar" -C "$dir/x" weir-backup config
	want 1 'by an absolute path, so not those of the backup were checked' -c "$dir/new/weir.yaml" restore "$dir/x.tar"
	[ -z "$(ls -A "$dir/new")" ] || fail "a restore by an absolute path leaves something: $(ls -A "$dir/new")"

	cp "$dir/etc/weir.yaml" "$dir/good.yaml" && sed -i "s,conf.d/,$dir/etc/&," "$dir/etc/weir.yaml"
	want 1 "include files by paths relative to $dir/etc" $c backup "$dir/c.tar"
	sed "s,conf.d/\*.yaml,../other.yaml," "$dir/good.yaml" >"$dir/etc/weir.yaml" && echo 'cache: {min_ttl: 1}' >"$dir/other.yaml"
	want 1 'so a restore could not put it back' $c backup "$dir/c.tar"
	[ ! -e "$dir/c.tar" ] || fail "a refused backup leaves an archive"
	mkdir "$dir/out" && sed -i "s,^include:.*,include: ['../out/*.yaml']," "$dir/etc/weir.yaml"
	want 1 "which is not below $dir/etc, so a restore could not put them back" $c backup "$dir/c.tar"
}
[ $bad = 0 ] && echo "all as wanted"
[ $bad = 0 ]
