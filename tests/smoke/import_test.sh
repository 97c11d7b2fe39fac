#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# weirctl import: a Pi-hole with 5 lists, 3 groups and 40 clients has the same verdict here as there, for 2,000 names and each
# group; unbound and dnsmasq take the files whose records weir then answers as they do.
. "$(dirname "$0")/_init.sh"

twin() { $python "$smoke_dir/rig/pihole_twin.py" "$@"; }
section() { awk -v "want=$1" '/^[a-z]/ { of = $1 } index(want, " " of " ")' "$2"; } # the sections " a: b: " of a file
# A configuration of the lab, but for what the import gives.
with() { { section " runtime: dataplane: upstreams: query_log: " $tmp/lab.yaml && section " blocking: groups: clients: local: forward_zones: entries: " "$1"; } >$config; }

lab_up
cp $config $tmp/lab.yaml
mkdir $tmp/pihole
check "a Pi-hole" twin make $tmp/pihole
check "is imported" weirctl import pihole $tmp/pihole -o $tmp/imported.yaml
check "config check takes the result" weirctl config check $tmp/imported.yaml
same "the file is not written twice" 1 "$(weirctl import pihole $tmp/pihole -o $tmp/imported.yaml 2>&1 | grep -c 'File exists (--force')"
weirctl import pihole $tmp/pihole >$tmp/again.yaml 2>$tmp/said
check "standard output has the same" cmp $tmp/again.yaml $tmp/imported.yaml
same "a client without a counterpart is named" 1 "$(grep -c 'tablet.lan: the client is left out' $tmp/said)"
same "in the file, too" 1 "$(grep -c '^# .*tablet.lan: the client is left out' $tmp/imported.yaml)"
with $tmp/imported.yaml
check "together with the lab's ports" weirctl config check
check "clients of each group" client bash -c 'dev=$(ip -o -4 addr show to 198.18.0.2 | cut -d" " -f2) &&
	for n in 10 20 30 40 50 70; do ip addr add 198.18.0.$n/24 dev $dev; done'
check "it is in force" weirctl config reload
check "on all workers" activated
same "a local record" 198.18.9.9 "$(short nas.pi.example A)"
check "each list is read" wait_for lists
check "and on all workers" activated
check "each verdict is Pi-hole's" eval 'client $python "$smoke_dir/rig/pihole_twin.py" check $tmp/pihole $service >$tmp/verdicts'
sed 's/^/  /' $tmp/verdicts
same "14,000 verdicts: 2,000 names in 7 groups and combinations of them" 7 "$(grep -c ' of 2000 names blocked, 0 differ' $tmp/verdicts)"
same "of which one group, which is off, blocks nothing" 1 "$(grep -c '\[4\]: 0 of 2000 names blocked' $tmp/verdicts)"
check "and each other one hundreds" eval "! grep -v '\[4\]' $tmp/verdicts | grep -vq ': [1-9][0-9][0-9]* of'"
same "of 5 lists and 40 clients" "5 40" "$($python -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(*(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("adlist", "client")))' $tmp/pihole/gravity.db)"

cat >$tmp/unbound.conf <<'CONF'
include: "/dev/null"
server:
	local-zone: "lan." static
	local-data: "nas.lan. 600 IN A 198.18.9.1"
	local-data-ptr: "198.18.9.1 nas.lan"
	local-zone: "apps.lan." redirect
	local-data: "apps.lan. A 198.18.9.2"
	local-zone: "ads.example." always_nxdomain
CONF
cat >$tmp/dnsmasq.conf <<'CONF'
local=/lan/
host-record=nas.lan,198.18.9.1
address=/apps.lan/198.18.9.2
address=/ads.example/
cname=files.lan,nas.lan
CONF
# The programs themselves with these files answer on this address, for comparison.
twin=127.0.0.9
answers() { [ "$(kdig +short +timeout=1 +retry=0 @$twin nas.lan A)" = 198.18.9.1 ]; }
unbound_runs() {
	{ cat $tmp/unbound.conf && printf 'server:\n%s\n' "interface: $twin" "do-daemonize: no" "chroot: ''" "username: ''" \
		"pidfile: ''" "directory: $tmp" "use-syslog: no" "do-not-query-localhost: no"; } >$tmp/unbound.twin
	exec unbound -c $tmp/unbound.twin
}
dnsmasq_runs() { exec dnsmasq -k -C $tmp/dnsmasq.conf --listen-address=$twin --bind-interfaces --no-resolv --no-hosts --pid-file --user=root; }
# asks WHO KDIG...: the records of either file, at the program or at weir
asks() {
	local who=$1
	shift
	same "$who: a record" 198.18.9.1 "$("$@" +short nas.lan A)"
	same "$who: its address" nas.lan. "$("$@" +short -x 198.18.9.1)"
	same "$who: a name below" 198.18.9.2 "$("$@" +short a.b.apps.lan A)"
	same "$who: no other name of the zone" NXDOMAIN "$("$@" other.lan A | rcode_of)"
	same "$who: blocked, and all below" NXDOMAIN "$("$@" www.ads.example A | rcode_of)"
}
ours() { client kdig +timeout=5 +retry=2 @$service "$@"; }
theirs() { kdig +timeout=2 +retry=1 @$twin "$@"; }
for source in unbound dnsmasq; do
	(${source}_runs) >$tmp/$source.log 2>&1 &
	program=$!
	check "$source: runs with the file" eventually answers
	asks "$source itself" theirs
	kill $program
	wait $program 2>/dev/null
	check "$source: imported" weirctl import $source $tmp/$source.conf -o $tmp/$source.yaml
	with $tmp/$source.yaml
	check "$source: in force" weirctl config reload
	check "$source: on all workers" activated
	check "$source: its block" eventually blocks www.ads.example
	asks "weir after $source" ours
done
same "dnsmasq: an alias" "nas.lan. 198.18.9.1" "$(short files.lan A | xargs)"

# What Debian ships with either.
check "unbound's own file" weirctl import unbound /etc/unbound/unbound.conf -o $tmp/shipped.yaml
check "is a configuration" weirctl config check $tmp/shipped.yaml
example=/usr/share/doc/dnsmasq-base/examples/dnsmasq.conf.example
if [ -f $example ]; then # a system may be set to leave documentation out
	check "dnsmasq's own example" weirctl import dnsmasq $example -o $tmp/example.yaml
	check "is a configuration" weirctl config check $tmp/example.yaml
fi
finish
