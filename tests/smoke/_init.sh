# SPDX-License-Identifier: BSD-3-Clause
# Sourced first by every smoke test (bash). Re-runs the test in namespaces of its own (mounts, network, processes) with
# an empty /run and /dev/shm, so that nothing of it is left and nothing of the machine is touched. Exit 77 = skipped.
set -u
smoke_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$smoke_dir/../.." && pwd)
export WEIR_BUILD=${WEIR_BUILD:-$root/build}

if [ -z "${WEIR_SMOKE_INSIDE-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "skipped: needs root for namespaces"; exit 77; }
	[ -c /dev/net/tun ] || { echo "skipped: no /dev/net/tun"; exit 77; }
	unshare --mount --net --pid --propagation private -- true || { echo "skipped: no namespaces (in a chroot?)"; exit 77; }
	export WEIR_SMOKE_INSIDE=1
	export SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
	exec timeout -k 10 "$SMOKE_TIMEOUT" unshare --mount --net --pid --fork --kill-child --mount-proc \
		--propagation private -- "$BASH" "$0" "$@"
fi
mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1
# Where the machine has huge pages the test uses them too, in a mount of its own that goes with it.
huge_mounts() { awk '$3 == "hugetlbfs" { print $2 }' /proc/self/mounts; }
for mount in $(huge_mounts); do
	umount -l "$mount" && mount -t hugetlbfs -o pagesize=2M none "$mount" || exit 1
done
ip link set lo up
tmp=/run/smoke
mkdir $tmp

# The tests' clock, of a build that has it (clock_ahead.c): microseconds that all processes are ahead of the kernel.
unset WEIR_CLOCK
if jq -e 'any(.name == "fault_points" and .value)' "$WEIR_BUILD/meson-info/intro-buildoptions.json" >/dev/null 2>&1; then
	export WEIR_CLOCK=$tmp/clock
	head -c 8 /dev/zero >$WEIR_CLOCK
fi
# ahead SECONDS: it is so much later for weir; a build without that clock waits.
ahead() {
	[ -n "${WEIR_CLOCK-}" ] || { sleep "$1"; return; }
	$python -c 'import struct, sys
with open(sys.argv[1], "r+b") as file:
    now, = struct.unpack("<Q", file.read(8))
    file.seek(0)
    file.write(struct.pack("<Q", now + int(float(sys.argv[2]) * 1e6)))' "$WEIR_CLOCK" "$1"
}

# later SECONDS: as `ahead`, in steps in which no heartbeat of a process is missed, for tests in which health is watched
later() {
	[ -n "${WEIR_CLOCK-}" ] || { sleep "$1"; return; }
	$python - "$WEIR_CLOCK" "$1" <<-'END'
		import mmap, struct, sys, time
		with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 8) as clock:
		    for _ in range(round(float(sys.argv[2]) / 0.8)):
		        clock[:] = struct.pack("<Q", *(us + 800000 for us in struct.unpack("<Q", clock[:])))
		        time.sleep(0.15)
	END
}

lab=$root/tools/lab
controlplane=${WEIR_CONTROLPLANE:-$WEIR_BUILD/controlplane/weir-controlplane} # words; tools/leaks has its own
patience=${WEIR_PATIENCE:-1}
judges_speed() { [ -n "${WEIR_LONG-}" ]; } # rates, latencies and shares of CPU time: in `tools/test long` alone
config=/run/weir/lab/weir.yaml
weirctl() { "$WEIR_BUILD/tools/ctl/weirctl" -c $config "$@"; }
client() { nsenter --net=/run/netns/weir-client -- "$@"; } # as `tools/lab exec`, which starts a script
service=198.18.0.53
service6=fd53::53
python=/usr/bin/python3

checks=0 bad=0 doing=start
unmet=$tmp/unmet.$$ # a line for each `eventually` that failed
: >$unmet
stdout=$(readlink /proc/$$/fd/1)
# check TEXT CMD...: CMD must succeed, and so must each `eventually` in it
check() {
	local text=$1 unmet=$tmp/unmet.check
	shift
	doing=$text
	: >$unmet
	if "$@" >$tmp/out.$$.out 2>&1 && [ ! -s $unmet ]; then
		checks=$((checks + 1))
		echo "ok $checks - $text"
	else
		checks=$((checks + 1)) bad=$((bad + 1))
		echo "not ok $checks - $text"
		echo "  $*"
		tail -n "${said_lines:-15}" $tmp/out.$$.out | sed 's/^/  | /'
	fi
}
# must TEXT CMD...: without it nothing that follows means anything
must() {
	local was=$bad said_lines=60
	check "$@"
	[ $bad = "$was" ] || finish
}
# same TEXT WANT GOT
same() {
	checks=$((checks + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $checks - $1"
	else
		bad=$((bad + 1))
		echo "not ok $checks - $1"
		printf '  want: %s\n  got:  %s\n' "$2" "$3"
	fi
}
# Each change that the lab's state directory shows has its entry in the audit log, which is written in the background. No such
# directory is no pass.
audit_check() {
	eventually audited
	check "the audit log has every change" audited
}
audited() { $python "$smoke_dir/rig/audit_judge.py" "$(state_directory)" /run/weir/lab/controlplane.log; }
state_directory() { # of the configuration; where a test has spoiled that, the lab's
	local own
	own=$(sed -n 's/.*state_directory: *\([^,} ]*\).*/\1/p' $config)
	echo "${own:-/run/weir/lab/state}"
}
# finish: also takes the lab down, once its logs have been shown
finish() {
	[ ! -e /run/weir/lab/up ] || audit_check
	local waits
	waits=$(wc -l <$unmet)
	checks=$((checks + waits)) bad=$((bad + waits))
	# Only one that ends by itself says what it lost.
	[ -z "${WEIR_CONTROLPLANE-}" ] || [ ! -e /run/weir/lab/up ] || "$lab" stop controlplane >/dev/null
	[ $bad = 0 ] || { echo "--- logs"; tail -n 20 /run/weir/lab/*.log 2>/dev/null; }
	echo "$((checks - bad)) of $checks checks passed"
	[ ! -e /run/weir/lab/up ] || "$lab" down >/dev/null
	[ $checks -gt 0 ] && [ $bad = 0 ]
	exit
}
# The time-out: what the script stood in, and the logs, as there is no time for more.
timed_out() {
	local to
	trap '' TERM
	for to in /proc/$$/fd/*; do [ "$(readlink "$to")" = "$stdout" ] && break; done # a check has it put by
	{
		echo "not ok - ended in line ${BASH_LINENO[*]: -2:1} (the time-out is $SMOKE_TIMEOUT s): $doing"
		tail -n 20 /run/weir/lab/*.log 2>/dev/null
		echo "$((checks - bad)) of $((checks + 1)) checks passed"
	} >&${to##*/} 2>&1
	exit 1
}
trap timed_out TERM
# stop PID...: they run no more. One thread of a process takes the signal, and the others go on until it has run.
stop() {
	local pid
	kill -STOP "$@" && for pid; do eventually is_stopped "$pid"; done
}
is_stopped() { [ "$(sed 's/.*) //; s/ .*//' /proc/"$1"/task/*/stat | sort -u)" = T ]; }
# upstream PORT LOG: an upstream of upstream.py, which writes LOG, once it listens
upstream() {
	$python "$root/tests/lab/upstream.py" "$1" "$2" &
	upstream=$!
	eventually upstream_listens "$1"
}
upstream_listens() { [ "$(ss -Htunl "sport = :$1" | wc -l)" = 2 ]; }
# lab_by_port LOG MORE...: a lab whose one upstream server, at 198.18.0.2, is upstream.py, which writes LOG, in the
# client namespace: weir sends its queries through the port.
lab_by_port() {
	local log=$1
	shift
	"$lab" up --upstream-by-port "$@" && "$lab" stop authority || return
	client $python "$root/tests/lab/upstream.py" 53 "$log" 198.18.0.2 &
	upstream=$!
	eventually client_upstream_listens && sed -i '/- address: .*fd53::2/d' $config && taken_over weirctl config reload
}
client_upstream_listens() { [ "$(client ss -Htunl 'src 198.18.0.2 and sport = :53' | wc -l)" = 2 ]; }
by_port() { weirctl --json upstreams | jq -e '.upstreams[] | .via == "port" and .state == "up"'; } # is that server asked so?
# zone PORT LOG: an upstream of chaos_zone.py, which serves UDP alone
zone() {
	$python "$smoke_dir/rig/chaos_zone.py" "$1" "$2" &
	zone=$!
	eventually zone_listens "$1"
}
zone_listens() { [ -n "$(ss -Hunl "sport = :$1")" ]; }
# lab_up OPTION...: the lab with an upstream of upstream.py, which writes $tmp/up.log, and a list in $list that blocks
# blocked.test.
lab_up() {
	list=$tmp/blocked.list
	echo blocked.test >$list
	upstream 5301 $tmp/up.log
	must "up" "$lab" up --upstream 127.0.0.1:5301 --list $list "$@"
	same "a first answer" 198.18.200.1 "$(short ok-3000.cached.test A)"
}
# The memif of a data plane: an abstract socket, no file.
memif_listens() { grep -q " $1\$" /proc/net/unix; }
# kdig repeats a query whose datagram was lost. A SERVFAIL is an answer: where none may come no script asks again.
short() { client kdig +short +timeout=5 +retry=2 @$service "$@"; }
# rcode KDIG_ARGUMENTS...
rcode() { client kdig +timeout=5 +retry=2 "$@" | rcode_of; }
rcode_of() { sed -n 's/.*status: \([A-Z]*\);.*/\1/p'; } # of what kdig says
blocks() { client kdig +timeout=1 +retry=0 @$service "${1-blocked.test}" A | grep -q NXDOMAIN; }
resolves() { [ "$(client kdig +short +timeout=2 +retry=0 @$service "$1" A)" = 198.18.200.1 ]; }
# What an upstream was asked, in lower case, once all of them have written down what has come. (On a busy machine an upstream
# is late, so weir repeats the query, and that question still waits there when the answer to the first one has arrived.)
up_log() {
	eventually up_idle
	tr 'A-Z' 'a-z' <"${1-$tmp/up.log}"
}
up_idle() {
	local pid
	[ -z "$(ss -Hunl 'sport >= :5301 and sport <= :5303' | awk '$2 > 0')" ] || return
	for pid in $(pgrep -f '/upstream.py '); do grep -q '^State:.S' /proc/$pid/status || return; done
}
pid() { cut -d' ' -f1 "/run/weir/lab/$1.pid"; } # pid controlplane|dataplane
runs() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$(pid "$1" 2>/dev/null)/status" 2>/dev/null; } # a zombie does not
now_ms() { echo $(($(date +%s%N) / 1000000)); }
# elsewhere CMD...: in another container of this network, which has nothing but a copy of the lab's files in its /run
elsewhere() {
	cp -a /run/weir/lab /dev/shm/elsewhere && timeout 120 env -u WEIR_CLOCK unshare --mount --propagation private -- bash -c \
		'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/weir && mv /dev/shm/elsewhere /run/weir/lab && "$@"' x "$@"
}
# What a process' log got since the last call of `mark`.
mark() { local what; for what in controlplane dataplane; do wc -c <"/run/weir/lab/$what.log" >$tmp/$what.mark; done; }
log_since() { tail -c +$(($(cat $tmp/$1.mark) + 1)) "/run/weir/lab/$1.log"; }
# eventually CMD...: CMD succeeds within a minute, or 60 tries if these take longer. Only a failure takes so long. A failure fails
# the check around it, or else the script, also where nothing reads its status, and shows what CMD said last.
eventually() {
	local eventually_end=$((SECONDS + 60 * patience)) eventually_i eventually_said=$tmp/said.$BASHPID
	doing="eventually $*"
	for ((eventually_i = 0; eventually_i < 60 || SECONDS < eventually_end; eventually_i++)); do
		"$@" >$eventually_said 2>&1 && return
		sleep 0.$((eventually_i < 10 ? 1 : 3)) # a try takes a CPU from other tests
	done
	echo "$*" | head -n 1 >>$unmet
	{ echo "not ok - eventually $*" && tail -n 15 $eventually_said | sed 's/^/  | /'; } >&2
	return 1
}
# wait_for CONDITION: `weirctl wait`, as patient as `eventually`, and what fails is the same.
wait_for() {
	doing="wait_for $*"
	weirctl wait "$@" --for $((60 * patience))s && return
	echo "$*" >>$unmet
	echo "not ok - wait_for $*" >&2
	return 1
}
# any_line CONDITION [JQ_OPTION...]: of the JSON values on standard input one is so. (`jq -e` alone looks at the last one; `any`
# reads one value more than it needs, which may be half there.)
any_line() { jq -n -e "${@:2}" "first(inputs | select($1)) | true"; }
# taken_over CMD...: CMD, and then what it has published is what all workers use: some 20 ms later, or when a busy machine lets
# the data plane look.
taken_over() { "$@" && activated; }
activated() { wait_for generations; }
# The file of a region of the lab, by its name or a pattern of it: of several generations the newest.
region() { find /run/weir /dev/shm $(huge_mounts) -maxdepth 2 -name "$1" -printf '%f\t%p\n' | sort -V | tail -n 1 | cut -f 2; }
# huge_pages N: at least N free pages of 2 MiB until the test ends, or it is skipped.
huge_pages() {
	local pages=/proc/sys/vm/nr_hugepages
	local had=$(<$pages) free=/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages
	[ "$(<$free)" -ge "$1" ] && return
	# shellcheck disable=SC2064
	trap "echo $had >$pages" EXIT
	echo $((had + $1)) >$pages 2>/dev/null
	[ "$(<$free)" -ge "$1" ] && return
	echo "skipped: no $1 huge pages of 2 MiB available ($(<$free) are free)"
	exit 77
}
# A counter of the data plane: dp verdict hit, dp counter rx_frames
dp() { weirctl --json stats --interval 0 | jq -r ".dataplane.${1}s.$2"; }
resolver() { weirctl --json stats --interval 0 | jq ".controlplane.resolver.$1"; } # a counter of the resolver
verdict_sum() { weirctl --json stats --interval 0 | jq '[.dataplane.verdicts[]] | add'; }
# holds JQ: true of one snapshot of the data plane's statistics. Neighbour discovery of the client's kernel may be on its
# way through the stages at that instant, and ports are read once a second, so some snapshots are taken; what is
# really lost is missing in all of them.
holds() {
	local i
	for ((i = 0; i < 50; i++)); do
		weirctl --json stats --interval 0 | jq -e ".dataplane | $1" >/dev/null && return 0
		sleep 0.2
	done
	echo "$(dp counter rx_frames) frames, $(verdict_sum) verdicts"
	return 1
}
verdicts_add_up() { holds '.counters.rx_frames == ([.verdicts[]] | add)'; }
ports_add_up() { holds '([.ports[] | select(.exception | not) | .ipackets] | add) == ([.verdicts[]] | add)'; }
# in_turn: true of every scene in tools/test long, else of each third one: the number of commits chooses which.
scene=0
commits=$(git -c safe.directory='*' -C "$root" rev-list --count HEAD 2>/dev/null || echo 0)
in_turn() { [ -n "${WEIR_LONG-}" ] || [ $((scene++ % 3)) = $((commits % 3)) ]; }
