#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A region's file cut off while both live: who cannot go on says which file it was and ends with status 87, the other one
# lives where it can, and after a restart, as a supervisor would do it, all is right again. Never a crash.
. "$(dirname "$0")/_init.sh"

list=$tmp/cutoff.list
echo blocked.test >$list
upstream 5301 $tmp/up.log
must "up" "$lab" up --upstream 127.0.0.1:5301 --list $list
gone() { ! runs "$1"; }
said() { log_since "$1" | grep -qE "$2: cut off while in use.*status 87"; }
survived() { log_since "$1" | grep -qE "$2: cut off while in use.*going on"; }
# Started again whenever they are gone, for as long as this takes.
supervise() {
	local what
	for what in controlplane dataplane; do runs $what || "$lab" start $what >/dev/null 2>&1; done
}
well() { eventually well_now; }
well_now() {
	supervise
	resolves "ok.new-$RANDOM.test" && blocks && weirctl status
}
# cut_off REGION SIZE ENDS...: the processes that must say so and end; who is not named lives
cut_off() {
	local name=$1 size=$2 file what was
	shift 2
	check "all is well before" well
	file=$(region "$name")
	echo "# ${file##*/} cut off at $size bytes"
	mark
	declare -A was=([controlplane]=$(pid controlplane) [dataplane]=$(pid dataplane))
	check "cut off" $python "$smoke_dir/rig/damage.py" "$size" cut "$file"
	resolves ok.touch-$RANDOM.test # any query will do
	for what in "$@"; do
		check "$what ends" eventually gone "$what"
		check "and says why" eventually said "$what" "${file##*/}"
	done
	for what in controlplane dataplane; do
		case " $* " in *" $what "*) ;; *) same "$what lives" "${was[$what]}" "$(runs $what && pid $what)" ;; esac
	done
	check "all is well after a restart" well
	for what in controlplane dataplane; do
		check "no crash in $what's log" bash -c "! grep -iE 'segv|sanitizer|assert' /run/weir/lab/$what.log"
	done
}
same "a first answer" 198.18.200.1 "$(short ok-3000.cached.test A)"
cut_off stats 5000 dataplane
cut_off 'rule_image.*' 4096 controlplane
cut_off 'l0.*' 65536 controlplane
check "the data plane went on without it" eventually survived dataplane 'l0[.][0-9]+'
cut_off 'rings.0' 20000 dataplane
cut_off 'marks.0.*' 4096 dataplane
# Two more clients on the same cable, of which access.allow names one.
client ip addr add 198.18.0.66/32 dev wt0
client ip addr add 203.0.113.9/32 dev wt0
answered() { client kdig -b "$1" +short +timeout=1 +retry=0 @$service ok-3000.cached.test A | grep -q 198.18.200.1; }
denied() { for _ in 1 2 3; do ! answered "$1" || return; done; }
check "a client that may ask is answered" eventually answered 198.18.0.66
check "one that may not is not" denied 203.0.113.9
file=$(region 'policy.*')
$python "$smoke_dir/rig/damage.py" 4096 cut "$file"
check "nor right after the policy was cut off" denied 203.0.113.9
check "the data plane lives" runs dataplane
cut_off 'policy.*' 4096 controlplane
check "nor after all of that" denied 203.0.113.9
check "the other one still is" eventually answered 198.18.0.66
cut_off directory 0 controlplane
check "the data plane went on without it" eventually survived dataplane directory
check "every frame has one verdict" verdicts_add_up

echo "# blocking.closed: nobody gets an answer that the lost rules held back"
sed -i 's/^blocking:/&\n  closed: true/' /run/weir/lab/weir.yaml
echo ok-3000.cached.test >>$list
check "a cached name is listed" taken_over weirctl config reload
asked() { client kdig +timeout=30 +retry=0 @$service ok-3000.cached.test A | rcode_of; }
same "it is blocked" NXDOMAIN "$(asked)"
kill -STOP "$(pid controlplane)"
$python "$smoke_dir/rig/damage.py" 4096 cut "$(region 'rule_image.*')"
for i in 1 2 3; do same "query $i after the image was cut off" SERVFAIL "$(asked)"; done
kill -CONT "$(pid controlplane)"
check "the control plane ends" eventually gone controlplane
same "still nobody is answered" SERVFAIL "$(asked)"
check "all is well after a restart" well
same "it is blocked again" NXDOMAIN "$(asked)"
sed -i '$d' $list
sed -i '/^  closed: true/d' /run/weir/lab/weir.yaml
check "the list as it was" taken_over weirctl config reload
check "every frame has one verdict" verdicts_add_up

echo "# the cache's file deleted, then the data plane starts"
rm -f "$(region 'l0.*')"
check "the data plane killed" "$lab" kill dataplane
check "and started" "$lab" start dataplane
check "the control plane ends" eventually gone controlplane
check "and says why" grep -q 'cannot map the cache (.*/l0[.].*status 87' /run/weir/lab/controlplane.log
check "all is well after a restart" well
check "with a cache that both have" activated

echo "# locks and the identity deleted while both live"
were="$(pid controlplane) $(pid dataplane)"
rm -f /run/weir/dataplane.lock /run/weir/controlplane.lock /run/weir/instance
for file in dataplane.lock controlplane.lock instance; do check "$file is back" eventually test -e "/run/weir/$file"; done
second() { timeout 120 "$WEIR_BUILD/$1/weir-$1" -c /run/weir/lab/weir.yaml 2>&1 | grep -qE 'another (weir-dataplane|control plane)'; }
check "the status says up" eventually weirctl status
for what in controlplane dataplane; do check "a second $what is refused" second $what; done
same "both live" "$were" "$(pid controlplane) $(pid dataplane)"
check "and serve" well_now
same "nobody else may open a lock" "600 600" "$(stat -c %a /run/weir/dataplane.lock /run/weir/controlplane.lock | xargs)"

echo "# the status"
"$lab" stop controlplane
$controlplane -c /run/weir/lab/weir.yaml 2>$tmp/cp.log &
control=$!
check "it runs" eventually test -S /run/weir/control.sock
truncate -s 0 "$(region directory)"
wait $control
same "is 87" 87 $?
finish
