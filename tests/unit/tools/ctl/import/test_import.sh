#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# weirctl import on a file of each source: the result is the one of golden/, and weir takes it; what it has no counterpart for is
# said. usage: test_import.sh WEIRCTL [--write]     --write: makes golden/ again, to be read before a commit
weirctl=$(realpath "$1") || exit 1
mode=${2-}
cd "$(dirname "$0")" || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
bad=0

fail() {
	bad=$((bad + 1))
	echo "not ok: $*"
}
# same GOLDEN SOURCE FILE...
same() {
	golden=golden/$1.yaml
	shift
	"$weirctl" import "$@" >"$dir/out" 2>"$dir/err" || fail "$*: status $?: $(cat "$dir/err")"
	[ "$mode" = --write ] && cp "$dir/out" "$golden"
	diff "$golden" "$dir/out" || fail "$*: not as $golden"
	[ "$(grep -c '^# - ' "$dir/out")" = "$(grep -c '^weirctl: import: ' "$dir/err")" ] || fail "$*: stderr does not have all"
	"$weirctl" config check "$dir/out" >"$dir/check" 2>&1 || fail "$*: $(cat "$dir/check")"
}
# refused STATUS TEXT ARGS...: nothing on stdout, and a text on stderr
refused() {
	status=$1 text=$2
	shift 2
	"$weirctl" import "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	[ $got = "$status" ] && [ ! -s "$dir/out" ] && grep -qF -- "$text" "$dir/err" || fail "$*: status $got: $(cat "$dir/err")"
}

same adguardhome adguardhome AdGuardHome.yaml
same blocky blocky blocky.yml
same unbound unbound unbound.conf
same dnsmasq dnsmasq dnsmasq.conf
same technitium technitium settings.json AllowedZones.txt BlockedZones.txt lan.example.zone
same beyond-ads-dns beyond-ads-dns beyond.yaml
same pihole5 pihole pihole5
same pihole6 pihole pihole6/pihole.toml pihole5

printf 'DC\0\001binary' >"$dir/dns.config"
printf 'a: [b\n' >"$dir/bad.yaml"
printf 'a: &a [*a]\ndns: *a\nfilters: [*a]\n' >"$dir/circle.yaml"
printf 'not a database' >"$dir/gravity.db"
mkfifo "$dir/fifo.conf"
refused 2 'did you mean pihole?' pihol x
refused 2 'an argument is missing' pihole
refused 1 'is no regular file' dnsmasq "$dir/fifo.conf"
refused 1 'No such file' unbound "$dir/none"
printf '127.0.0.1 localhost\n::1 localhost\nfd53::7 seven\n' >"$dir/hosts"
refused 1 'no clause of unbound' unbound "$dir/hosts"
refused 1 'no option of dnsmasq' dnsmasq "$dir/hosts"
refused 1 'settings/get' technitium "$dir/dns.config"
refused 1 'line 2: ' adguardhome "$dir/bad.yaml"
refused 1 'no configuration of AdGuard Home' adguardhome blocky.yml
refused 1 'no configuration of beyond-ads-dns' beyond-ads-dns AdGuardHome.yaml
refused 1 'no database of Pi-hole' pihole "$dir/gravity.db"
refused 1 'by their names' pihole blocky.yml
refused 1 'no file of Pi-hole' pihole golden
sed 's,blocking_ipv4: .*,blocking_ipv4: 192.168.1.80/24,' AdGuardHome.yaml >"$dir/prefix.yaml"
"$weirctl" import adguardhome "$dir/prefix.yaml" >"$dir/out" 2>"$dir/err" && "$weirctl" config check "$dir/out" >"$dir/check" 2>&1 &&
	grep -q 'blocking_ipv4: `192.168.1.80/24` is no address' "$dir/err" || fail "a prefix to block with: $(cat "$dir/err" "$dir/check")"
"$weirctl" import adguardhome "$dir/circle.yaml" >/dev/null 2>&1 || fail "a circle of anchors"

"$weirctl" import dnsmasq dnsmasq.conf -o "$dir/new.yaml" >"$dir/out" 2>/dev/null || fail "-o"
cmp -s "$dir/new.yaml" golden/dnsmasq.yaml || fail "-o does not write the result"
[ ! -s "$dir/out" ] || fail "-o writes to stdout, too"
refused 1 'File exists (--force replaces it)' dnsmasq dnsmasq.conf -o "$dir/new.yaml"
echo old >"$dir/new.yaml"
"$weirctl" import dnsmasq dnsmasq.conf -o "$dir/new.yaml" --force 2>/dev/null || fail "--force"
cmp -s "$dir/new.yaml" golden/dnsmasq.yaml || fail "--force does not write the result"
"$weirctl" --json import dnsmasq dnsmasq.conf >"$dir/out" 2>"$dir/err" || fail "--json"
grep -q '"source": "dnsmasq"' "$dir/out" && grep -q '"missing": \[' "$dir/out" && [ ! -s "$dir/err" ] || fail "--json: $(cat "$dir/out")"
[ "$("$weirctl" import dnsmasq dnsmasq.conf 2>/dev/null >/dev/full; echo $?)" = 1 ] || fail "a full disk"
[ $bad = 0 ] && echo "all as wanted"
[ $bad = 0 ]
