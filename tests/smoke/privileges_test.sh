#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Rights of running processes, on TAP and AF_XDP ports, as root and as another user: capabilities and filters of each thread as
# the tables of docs/explanation/security.md have them, what their descriptors are, and that systemd hears of their life.
. "$(dirname "$0")/_init.sh"
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
page=$root/docs/explanation/security.md

# rows PROCESS: thread, permitted, effective and filters of its table
rows() {
	awk -F' *[|] *' -v of="^Threads of the $1" '
		$0 ~ of { on = 1; next }
		on && /^[|] [`]/ { name = $2; gsub("`", "", name); print name "|" $3 "|" $4 "|" $5; seen = 1; next }
		seen { exit }' "$page"
}
declare -A bit=([none]=0000000000000000 [NET_ADMIN]=0000000000001000 [NET_BIND_SERVICE]=0000000000000400)
# bits CELL UID: the mask; +DAC in the cell is for root
bits() {
	local mask=0x${bit[${1% +DAC}]}
	[[ $1 != *+DAC || $2 != 0 ]] || mask=$((mask | 6)) # DAC_OVERRIDE, DAC_READ_SEARCH
	printf %016x "$mask"
}
# as_written PROCESS PID: each thread is as its first row says; every one has a row, and no row that must run is missing. One that
# begins is not so yet, and one that ends has no name any more.
as_written() {
	local task name of permitted effective filters field wrong=0 seen=' ' row uid
	uid=$(awk '/^Uid:/ { print $3 }' "/proc/$2/status")
	mapfile -t row < <(rows "$1")
	[ ${#row[@]} -ge 4 ] || { echo "no table of the $1"; return 1; }
	for task in /proc/"$2"/task/*; do
		name=$(<"$task/comm") of=
		for r in "${row[@]}"; do
			IFS='|' read -r of permitted effective filters <<<"$r"
			# shellcheck disable=SC2053 # a pattern for each of its names
			[[ $name == @(${of//, /|}) ]] && break
			of=
		done
		[ -n "$of" ] || { echo "thread $name has no row"; wrong=1; continue; }
		seen+="$of "
		field() { sed -n "s/^$1:[[:space:]]*//p" "$task/status"; }
		[ "$(field CapPrm) $(field CapEff) $(field CapInh) $(field CapAmb)" = \
			"$(bits "$permitted" "$uid") $(bits "$effective" "$uid") ${bit[none]} ${bit[none]}" ] ||
			{ echo "$name: permitted $(field CapPrm), effective $(field CapEff)"; wrong=1; }
		[ "$(field NoNewPrivs) $(field Seccomp)" = "1 2" ] || { echo "$name: no filter, or new privileges"; wrong=1; }
		case " $filters " in *" $(field Seccomp_filters) "*) ;; *) echo "$name: $(field Seccomp_filters) filters"; wrong=1 ;; esac
	done
	for r in "${row[@]}"; do
		of=${r%%|*}
		case "$seen" in *" $of "*) ;; *) [[ $of == @(weir-\*|weir-close) ]] || { echo "no thread $of"; wrong=1; } ;; esac
	done
	return $wrong
}
# only_kinds PID: descriptors of regular files are regions, state and logs of weir; nothing else of the machine
only_kinds() {
	local fd at
	for fd in /proc/"$1"/fd/*; do
		at=$(readlink "$fd") || continue
		case $at in
		/run/weir/* | /dev/shm/* | /dev/null | /dev/net/tun | /run/smoke/* | anon_inode:* | socket:* | pipe:* | /memfd:*) ;;
		/proc/*/fd | /proc/*/maps | /proc/*/smaps | net:* | /sys/fs/bpf*) ;;
		*) [ "$(stat -L -f -c %T "$fd")" = hugetlbfs ] || { echo "descriptor ${fd##*/}: $at"; return 1; } ;;
		esac
	done
}
answers() { [ "$(client kdig +short +timeout=5 +retry=2 @$service www.lab.example A)" = 198.18.255.80 ]; }

# A list in a directory of another user.
theirs=$tmp/theirs
install -d -o 990 -g 990 -m 0700 $theirs && echo unused.test >$theirs/list && chown 990:990 $theirs/list && chmod 0600 $theirs/list
for port in tap xdp; do
	option=
	[ $port = tap ] || option=--xdp
	must "$port: up" "$lab" up --offline --list $theirs/list $option
	check "$port: answers" eventually answers
	for process in dataplane controlplane; do
		words="data plane"
		[ $process = dataplane ] || words="control plane"
		check "$port: threads of the $words are as written" eventually as_written "$words" "$(pid $process)"
		check "$port: descriptors of the $words" only_kinds "$(pid $process)"
		same "$port: one user" 0 "$(stat -c %u /proc/"$(pid $process)")"
	done
	echo www.lab.example >>$theirs/list
	check "$port: a reload" taken_over weirctl config reload
	check "$port: root reads a list of another user" eventually blocks www.lab.example
	sed -i '/www/d' $theirs/list
	check "$port: the data plane stops" "$lab" stop dataplane
	check "$port: and takes its program along" eval "! ip -d link show weir0 | grep -q prog/xdp"
	audit_check
	check "$port: down" "$lab" down
done

# As user 990, with what the unit gives. Locked memory may be limited here, where the unit has no limit.
user() { # CAPABILITIES(+name,+name) COMMAND...
	local caps=$1
	shift
	exec prlimit --core=0:0 setpriv --reuid 990 --regid 990 --clear-groups --inh-caps "-all,$caps" --ambient-caps "-all,$caps" \
		--bounding-set "-all,$caps" "$@"
}
# listener: what systemd would hear, in $tmp/heard
$python -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
import os
os.chmod(sys.argv[1], 0o666)
while True:
    print(s.recv(4096).decode().replace("\n", " "), flush=True)' /run/notify >$tmp/heard &
check "a listener" eventually test -S /run/notify
must "up" "$lab" up --offline --xdp
"$lab" stop dataplane && "$lab" stop controlplane
# glibc asks all sources of /etc/nsswitch.conf for a group that is in no file, behind the filter.
sed 's/^group:.*/group: files systemd/' /etc/nsswitch.conf >$tmp/nsswitch && mount --bind $tmp/nsswitch /etc/nsswitch.conf
sed 's/^runtime:/&\n  group: of-nobody/' $config >$tmp/group.yaml
timeout 60 "$WEIR_BUILD/controlplane/weir-controlplane" -c $tmp/group.yaml >$tmp/group.log 2>&1
check "a group that does not exist is said" grep -q 'runtime.group: of-nobody: no such group' $tmp/group.log
chown -R 990:990 /run/weir
NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=1000000 user +net_bind_service \
	"$WEIR_BUILD/controlplane/weir-controlplane" -c $config >$tmp/cp.log 2>&1 &
controlplane_pid=$!
check "the control plane says that it serves" eventually grep -qzP 'READY=1\nSTATUS=serving\n' $tmp/heard
user +net_admin,+net_raw,+bpf,+perfmon,+ipc_lock "$WEIR_BUILD/dataplane/weir-dataplane" -c $config >$tmp/dp.log 2>&1 &
dataplane_pid=$!
check "another user's answers" eventually answers
check "workers give them" eventually grep -q 'AF_XDP: workers receive the queries' $tmp/dp.log
same "root's weirctl sees that its data plane lives" "1 true" "$(weirctl xdp detach weir0 >$tmp/detach.log 2>&1; echo $?) $(
	weirctl --json xdp status | jq .ports[0].dataplane)"
check "and says so" grep -q 'its data plane is running' $tmp/detach.log
check "threads of its data plane are as written" eventually as_written "data plane" $dataplane_pid
check "threads of its control plane are as written" eventually as_written "control plane" $controlplane_pid
# Regions are in no core dump, and where the limit is 0 there is no dump: its files in /proc are root's then.
undumped() {
	awk '$1 ~ /^[0-9a-f]+-/ { name = $6; region = $6 ~ "^/(run/weir/(control/)?[^/]+|dev/shm/.*|dev/hugepages.*)$" }
		$1 == "VmFlags:" && region { n++; if ($0 !~ / dd/) { bad = 1; print name } } END { exit bad || n < 3 }' /proc/"$1"/smaps
}
check "regions of the data plane are in no core dump" undumped $dataplane_pid
check "nor those of the control plane" undumped $controlplane_pid
same "neither process can be dumped" "0 0" "$(stat -c %u /proc/$dataplane_pid/environ /proc/$controlplane_pid/environ | xargs)"
check "and both still know their memory" eval "weirctl mem kinds && ! grep /proc/self $tmp/cp.log $tmp/dp.log"
same "its user" 990 "$(awk '/^Uid:/ { print $3 }' /proc/$dataplane_pid/status)"
check "the watchdog hears from it" eventually grep -q WATCHDOG=1 $tmp/heard
check "a reload" weirctl config reload
check "which systemd hears" eventually grep -q 'RELOADING=1 MONOTONIC_USEC=[0-9]' $tmp/heard
check "and its end" eventually eval "[ \$(grep -c READY=1 $tmp/heard) = 2 ]"
check "it is stopped" stop $controlplane_pid
# What this sends is heard behind all that was sent before.
hear() { $python -c 'import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[1].encode(), "/run/notify")' "$1" && eventually grep -q "$1" $tmp/heard; }
check "what it said before is heard" hear BEFORE=1
heard=$(grep -c WATCHDOG=1 $tmp/heard)
sleep 1.2
check "what it says meanwhile too" hear AFTER=1
same "a stopped one is silent" "$heard" "$(grep -c WATCHDOG=1 $tmp/heard)"
kill -CONT $controlplane_pid
check "until it goes on" eventually eval "[ \$(grep -c WATCHDOG=1 $tmp/heard) -gt $heard ]"
kill $dataplane_pid
wait $dataplane_pid
same "the data plane stops in order" 0 $?
check "and takes its program along" eval "! ip -d link show weir0 | grep -q prog/xdp"
kill $controlplane_pid
wait $controlplane_pid
same "the control plane too" 0 $?
check "which systemd hears" eventually grep -q STOPPING=1 $tmp/heard

# Without a right that it needs it does not start.
user +net_raw,+bpf,+perfmon,+ipc_lock "$WEIR_BUILD/dataplane/weir-dataplane" -c $config >$tmp/less.log 2>&1 &
wait $!
same "no NET_ADMIN, no start" 1 $?
check "for that reason" eval "grep -q \"map 'xsks_map': failed to create: Operation not permitted\" $tmp/less.log &&
	grep -q 'port weir0 (net_af_xdp): refuses an RX queue' $tmp/less.log"

finish
