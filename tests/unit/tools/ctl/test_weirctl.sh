#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# weirctl's exit status and where it speaks, with no appliance running. usage: test_weirctl.sh WEIRCTL SOURCE_ROOT
weirctl=$1
root=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# Small regions may lie in /dev/shm under the last part of this path, so that must be nobody else's.
run=$dir/weirctl-test-$$
bad=0

# want STATUS OUT ERR ARGS...: exit status, and parts of stdout and stderr ('' = nothing at all there)
want() {
	status=$1 out=$2 err=$3
	shift 3
	"$weirctl" "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	ok=1
	[ $got = "$status" ] || ok=0
	if [ -n "$out" ]; then grep -qF -- "$out" "$dir/out" || ok=0; else [ ! -s "$dir/out" ] || ok=0; fi
	if [ -n "$err" ]; then grep -qF -- "$err" "$dir/err" || ok=0; else [ ! -s "$dir/err" ] || ok=0; fi
	[ $ok = 1 ] && return
	bad=$((bad + 1))
	echo "not ok: weirctl $*: status $got, wanted $status"
	sed 's/^/  out: /' "$dir/out"
	sed 's/^/  err: /' "$dir/err"
}

cat >"$dir/weir.yaml" <<CONFIG
runtime: {directory: $run}
dataplane: {ports: [{device: net_null0}], service_addresses: [198.18.0.53/24]}
upstreams: {servers: [{address: 9.9.9.9}]}
blocking: {lists: [{name: gone, path: gone.txt}]}
CONFIG
sed 's|path: gone.txt|url: "https://lists.example/gone"|' "$dir/weir.yaml" >"$dir/url.yaml"
printf 'nonsense: 1\n' >"$dir/bad.yaml"
unset WEIR_CONFIG
c="-c $dir/weir.yaml"

want 0 'usage: weirctl' '' --help
want 0 'cache flush' '' help cache
want 0 '[--since T] [--until T]' '' help log search
want 0 'usage: weirctl cache flush NAME|--below NAME|--all' '' cache flush --help
want 2 '' 'no such command or topic: cahce; did you mean cache?' help cahce
want 0 'weirctl 0' '' --version
want 2 '' 'usage: weirctl'
want 2 '' 'no such command: nonsense' nonsense
want 2 '' 'no such command: nonsense' nonsense www.example
want 2 '' 'cache takes one of: get, flush, stats' cache nonsense
want 2 '' 'cache takes one of: get, flush, stats' cache
want 2 '' 'no such option: --nonsense' status --nonsense
want 2 '' 'no such command: stauts; did you mean status?' stauts
want 2 '' 'no such command: sttas; did you mean stats?' sttas
want 2 '' 'flush, stats; did you mean flush? (weirctl' cache flsh
want 2 '' 'no such option: --clinet; did you mean --client?' why a --clinet 198.18.0.3
want 2 '' 'no such option: --jsno; did you mean --json?' status --jsno
want 2 '' 'argument is missing' why
want 2 '' 'argument is missing' wait
want 2 '' 'no such condition: reday; did you mean ready?' $c wait reday
want 2 '' 'no such operator: =>' $c wait counter stats.dataplane.pid '=>' 1
want 2 '' '--for takes 500ms' $c wait ready --for soon
want 2 '' '--since takes the number of an event' $c wait ready --since 5
want 2 '' '--since takes the number of an event' $c wait event list_changed --since 1h
want 1 '' 'ms: the control plane is down' $c wait ready --for 0s
want 1 '"error"' '' $c wait generations --for 60ms --json
want 2 '' '--watch takes no --limit, --until or --json' $c top --watch --limit 5
want 2 '' '--interval must be at least 0.2 s' $c top --watch --interval 0.1
want 2 '' 'at least 2 s with --since' $c top --watch --since 1h --interval 1
want 2 '' '--since takes 90s' $c top --watch --since soon
want 1 '' 'connect to server' $c top --watch --since 1h
want 2 '' '--since takes 90s' $c clients --since soon
want 2 '' '--until takes 90s' $c clients --until soon
want 2 '' '--since must be before --until' $c top --since 1h --until 2h
want 2 '' '--watch takes no --limit' $c top --watch --until 1h
want 1 '' 'no terminal; --yes' $c setup </dev/null
want 2 '' 'that command does not take such an option' $c setup --all
want 2 '' 'takes --role sync, read, operate or admin' $c token create ops
want 2 '' '--expires takes' $c token create ops --role read --expires soon
want 2 '' '--expires takes' $c token create ops --role read --expires 2020-01-01
want 2 '' 'takes --role read, operate or admin' $c password set eve
want 2 '' 'does not take such an option' $c password set eve --role read --expires 30d
want 1 '' 'no password' $c password set eve --role read </dev/null
want 2 '' 'works on its own box alone' --host box.example ports
for host in '' : box:0 box:65536 box:x 'a/b' 'a@b' '[::1' '[::1]x' 'a?b'; do
	want 1 '' 'is not BOX or BOX:PORT' --host "$host" upstreams
done
want 1 '' '127.0.0.1:1: cannot connect' --host 127.0.0.1:1 upstreams
want 1 '' '[::1]:1: cannot connect' --host '[::1]:1' upstreams
WEIR_HOST=127.0.0.1:1 want 1 '' '127.0.0.1:1: cannot connect' upstreams
want 1 '' '--pin takes' --host box --pin abc upstreams
want 1 '' '--ca: /nonexistent' --host box --ca /nonexistent upstreams
want 1 '' 'No such file' --host box --token-file /nonexistent upstreams
echo weir_0 >"$dir/token" && chmod 644 "$dir/token"
want 1 '' 'chmod 600' --host box --token-file "$dir/token" upstreams
chmod 600 "$dir/token"
want 1 '' '127.0.0.1:1: cannot connect' --host 127.0.0.1:1 --token-file "$dir/token" upstreams
printf '\n' >"$dir/token"
want 1 '' 'no token in its first line' --host box --token-file "$dir/token" upstreams
printf 'a\tb\n' >"$dir/token"
want 1 '' 'no token in its first line' --host box --token-file "$dir/token" upstreams
want 2 '' 'argument is missing' import pihole
want 2 '' 'sources: pihole, adguardhome' import bind9 "$dir/weir.yaml"
want 1 '' 'No such file' import unbound "$dir/none"
want 2 '' 'profile takes cpu, alloc or threads' profile heap
want 2 '' '--seconds takes 1 to 100' profile cpu --seconds 101
want 1 '' 'control.sock' $c pending
want 1 '' 'control.sock' $c drain
want 2 '' 'too many' undrain now
want 1 'not ready' 'control.sock' $c ready --for human
want 2 '' 'needs a value' ready --for
want 2 '' 'too many' pending now
want 2 '' 'too many arguments' why a b
LC_ALL=C.UTF-8 want 1 '' 'Küche.yaml' -c "$dir/Küche.yaml" config check
LC_ALL=C want 1 '' 'K\xc3\xbcche.yaml' -c "$dir/Küche.yaml" config check
want 2 '' 'does not take such an option' why a --force
want 2 '' 'needs a value: -c' -c
want 2 '' 'cache flush takes NAME' cache flush
want 2 '' 'cache flush takes NAME' cache flush --all a.example
want 2 '' 'cache flush takes NAME' cache flush --all --below
want 2 '' 'too many arguments' cache get a.example A AAAA
want 2 '' 'needs a value: --client' why a.example --client
want 2 '' 'does not take such an option' why a.example --all
want 2 '' 'does not take such an option' status --group kids
want 2 '' 'does not take such an option' cache get a.example --type A
want 2 '' 'argument is missing' allow
want 2 '' 'usage: weirctl deny NAME' block
want 2 '' 'too many arguments' reload now
want 2 '' 'no such command: resum; did you mean resume?' resum
want 2 '' 'too many arguments' allow a.example b.example
want 2 '' '--for takes 1s to 366d' allow a.example --for 0s
want 2 '' '--for takes 1s to 366d' deny a.example --for 367d
want 2 '' '--for takes 1s to 366d' deny a.example --for 2hours
want 2 '' '--for takes 1s to 366d' deny a.example --for 99999999d
want 2 '' 'takes no --for' allow --remove a.example --for 2h
want 2 '' 'takes no --invert' allow --remove /a/ --invert
want 1 '' 'control.sock' $c deny --remove a.example --why x
want 1 '' 'control.sock' $c group move 192.0.2.1 kids --why x
want 2 '' 'list takes one of: show, add, remove, disable, enable' list
want 2 '' 'argument is missing' list add
want 2 '' 'name a URL or a path as well, or one of: oisd-small' list add ads
want 2 '' 'does not take such an option' list remove ads --allow
want 2 '' 'argument is missing' local add nas.lan A
want 2 '' 'too many arguments' local remove nas.lan A 192.0.2.1 60
want 2 '' 'too many arguments' local add nas.lan A 192.0.2.1 60
want 2 '' 'argument is missing' group move 192.0.2.1
want 2 '' 'upstream takes one of: add, remove, test, drain, undrain' upstream
want 1 '' 'control.sock' $c allow a.example --for 2h
want 1 '' 'control.sock' $c complete groups
want 0 'port53' '' complete checks
want 2 '' 'takes one of: groups' complete nonsense
want 2 '' 'argument is missing' drops add 198.18.0.1
want 2 '' 'too many arguments' ports eth0
want 1 '' 'stats' $c ports
want 2 '' 'argument is missing' blocklist pause
want 2 '' 'a pause has 1 to 1440 minutes' blocklist pause 0
want 2 '' 'a pause has 1 to 1440 minutes' blocklist pause 1441
want 2 '' 'a pause has 1 to 1440 minutes' blocklist pause 99999999999999999999
want 2 '' 'a pause has 1 to 1440 minutes' blocklist pause 5m
want 2 '' 'no such option: -5' blocklist pause -5
want 2 '' 'a pause has 1 to 1440 minutes' blocklist pause -- -5
want 0 'blocklist pause MINUTES' '' help blocklist pause
want 2 '' '--interval takes' stats --interval x
want 2 '' '--interval takes' stats --interval=-1
want 2 '' 'selftest takes --rate' selftest
want 2 '' 'selftest takes --rate' selftest --rate --seconds 0
want 2 '' 'selftest takes --rate' selftest --rate --seconds=1x
want 2 '' 'does not take such an option' status --rate
want 2 '' 'no such command: \x1b[31m' "$(printf '\033[31m')"

# All, in the order of their sections in the page.
checks=$(sed -n '/^## Checks/,$s/^| `\([a-z0-9]*\)` | .*/\1/p' "$root/docs/how-to/doctor.md" | tr '\n' ' ')
want 2 '' "doctor takes one of: ${checks% }" doctor nonsense
want 2 '' 'too many arguments' doctor cores numa
want 0 'weir.yaml is good' '' $c doctor config
want 1 'do: weirctl -c' '' -c "$dir/bad.yaml" doctor config
want 0 '"verdict": "ok"' '' --json $c doctor redis

want 2 '' 'nic takes one of: status, bind, unbind, remember, forget' nic
want 2 '' 'argument is missing' nic bind
want 2 '' 'argument is missing' config rollback
want 2 '' 'does not take such an option' nic status --force
want 2 '' 'does not take such an option' nic remember lan0 --once
want 2 '' 'does not take such an option' events --until 1h
want 2 '' '--since takes the number of an event' events --since soon
want 1 '' 'no interface no-such-nic' nic unbind no-such-nic
want 1 '"error": "no interface' '' --json nic bind no-such-nic

want 2 '' 'xdp takes one of: status, detach' xdp
want 2 '' 'does not take such an option' xdp status --force
want 1 '' 'no AF_XDP port' $c xdp status
want 0 '' '' $c xdp detach

want 0 'good' '' config check "$root/tools/weir.yaml"
want 0 'warning: list "gone" cannot be read: ' '' config check "$dir/weir.yaml"
want 0 'good, but see the warnings above' '' config check "$dir/weir.yaml"
urls=$("$weirctl" config check "$dir/url.yaml" 2>&1)
[ "$urls" = "$dir/url.yaml: good" ] || { echo "not ok: a list by URL: $urls"; bad=$((bad + 1)); }
want 0 '"ok": true' '' --json config check "$dir/weir.yaml"
# What servers refuse as bogus, recursion would answer.
sed 's/^upstreams: {/upstreams: {mode: forward-first, /' "$dir/url.yaml" >"$dir/first.yaml"
want 0 'warning: upstreams.mode: `forward-first` without' '' config check "$dir/first.yaml"
want 0 '"upstreams.mode: ' '' --json config check "$dir/first.yaml"
echo 'dnssec: {validate: true}' >>"$dir/first.yaml"
proven=$("$weirctl" config check "$dir/first.yaml" 2>&1)
[ "$proven" = "$dir/first.yaml: good" ] || { echo "not ok: validated: $proven"; bad=$((bad + 1)); }
# What a reload leaves out of the hosts files.
{ cat "$dir/url.yaml" && echo 'local: {hosts_files: [hosts]}'; } >"$dir/hosts.yaml"
want 0 'hosts cannot be read: No such file' '' config check "$dir/hosts.yaml"
printf '192.0.2.1 nas.lan\n192.0.2.300 tv.lan\n' >"$dir/hosts"
want 0 'hosts line 2: weir ignores what is no address or no name (1 in' '' config check "$dir/hosts.yaml"
printf '192.0.2.3 büro.lan\n192.0.2.4 küche.lan\n' >>"$dir/hosts"
want 0 'hosts line 3: weir ignores names outside ASCII (2 in' '' config check "$dir/hosts.yaml"
want 0 'names outside ASCII' '' --json config check "$dir/hosts.yaml"
want 1 '' 'config: nonsense: unknown key (' config check "$dir/bad.yaml"
want 1 'bad.yaml:1:1)' '' config check "$dir/bad.yaml" --json
# What the machine does not have.
sed 's/^runtime: {/runtime: {group: no-such-group, /; s/{device: net_null0}/{device: "ff:1f.7"}, {device: "net_tap0,persist,=x"}, {device: eth0}/
	s/^dataplane: {/dataplane: {main_lcore: 1000, worker_lcores: [0, 1001], /' "$dir/weir.yaml" >"$dir/other.yaml"
for text in 'runtime.group: this machine has no group "no-such-group"' 'main_lcore: this machine has no core 1000' \
	'worker_lcores[1]: this machine has no core 1001' 'ports[0].device: this machine has no PCI device 0000:ff:1f.7' \
	'ports[1].device: an argument has no name' 'ports[2].device: "eth0" is neither a PCI address'; do
	want 1 '' "$text" config check "$dir/other.yaml"
done
want 1 '"count": 6' '' --json config check "$dir/other.yaml"
want 1 '' 'No such file' config check "$dir/none.yaml"
want 1 '"error": "/none\\xff: No such file' '' --json config check "$(printf '/none\377')"
want 1 '' 'No such file' -c "$dir/none.yaml" status

# shellcheck disable=SC2086
for started in no yes; do
	want 1 'data plane      down' '' $c status
	want 1 'control plane   down' '' $c status
	want 1 '"state": "down"' '' $c --json status
	want 1 'control plane   down' '' $c stats
	want 1 '' 'the control plane is down' $c why a.example
	want 1 '"error": "the control plane is down' '' $c cache flush a.example --below --json
	want 1 '' 'the control plane is down' $c cache flush --all
	want 1 '' 'the control plane is down' $c cache stats
	want 1 '' 'the control plane is down' $c cache get -- a.example
	want 1 '' 'the control plane is down' $c blocklist status
	want 1 '' 'the control plane is down' $c refresh stats
	want 1 '' 'the control plane is down' $c tcp
	want 1 '' 'the control plane is down' $c blocklist reload --force
	want 1 '' 'the control plane is down' $c blocklist rollback
	want 1 '' 'the control plane is down' $c blocklist pause 5 --group=kids
	want 1 '"error": "the control plane is down' '' $c --json blocklist pause 5
	want 1 '' 'the control plane is down' $c blocklist resume
	want 1 '' 'the control plane is down' $c why a.example --client 198.18.0.3 --type AAAA
	want 1 '' 'the control plane is down' $c config reload
	want 1 '' 'the control plane is down' $c reload --keep
	want 1 '' 'the control plane is down' $c resume --group kids
	want 1 '' 'the control plane is down' $c block a.example
	want 1 '' 'the control plane is down' $c config apply
	want 1 '' 'the control plane is down' $c config history
	mkdir -p "$run" # as after a start that left nothing
done

# A file that is wrong keeps nobody from the service that runs: the socket is found all the same.
{ cat "$dir/weir.yaml" && echo 'nonsense: 1'; } >"$dir/typo.yaml"
{ printf 'cache: [\n' && cat "$dir/weir.yaml"; } >"$dir/syntax.yaml"
printf 'runtime:\n  log_levle: info\n  directory: "%s" # here\n\tgroup: x\n' "$run" >"$dir/tab.yaml"
for file in typo syntax tab; do
	want 1 "data plane      down" 'the configuration cannot be used' -c "$dir/$file.yaml" status
	want 1 '' "nobody listens on $run/control/control.sock" -c "$dir/$file.yaml" why a.example
	want 1 "\"error\": \"the control plane is down (nobody listens on $run/control/control.sock)" 'cannot be used' \
		-c "$dir/$file.yaml" --json cache flush --all
	want 1 '' "$file.yaml:" -c "$dir/$file.yaml" xdp status
	want 1 '' "$file.yaml:" -c "$dir/$file.yaml" config check
done
# Who may not read a secret is no worse off than who may: the file itself is good.
{ cat "$dir/weir.yaml" && printf 'redis: {password_file: %s}\n' "$dir/none" &&
	printf 'cookies: {secret_file: %s}\n' "$dir/none" &&
	printf 'query_log: {clickhouse: {url: "http://192.0.2.1", password_file: %s}}\n' "$dir/none"; } >"$dir/secret.yaml"
want 1 'data plane      down' '' -c "$dir/secret.yaml" status
want 1 '' 'cannot be read: No such file' -c "$dir/secret.yaml" config check
want 1 '' 'No such file' -c "$dir/none.yaml" why a.example
want 1 '' 'neither a file nor a pipe' -c "$dir" why a.example

export WEIR_CONFIG="$dir/weir.yaml"
want 1 'control plane   down' '' status
want 0 'good' '' config check
# `help a` is longer than a buffer of stdio, whose failed writes the last flush does not see.
for words in --help 'help a' --version 'config check'; do
	"$weirctl" $words >/dev/full 2>"$dir/err" || { grep -q 'the output is not whole' "$dir/err" && continue; }
	echo "not ok: weirctl $words: a full disk went unnoticed"
	bad=$((bad + 1))
done

[ $bad = 0 ] && echo "all as wanted"
exit $bad
