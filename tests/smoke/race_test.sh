#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Both processes under the thread sanitizer, with all that can happen to them at once (race_drive.py) beside loads over UDP and TCP
# and upstreams that lie, lose and fail, with two resolvers and two frontends. Any report fails it.
# usage: race_test.sh [--seconds N] [--seed N]  (45, or 300 with WEIR_LONG)    WEIR_BUILD: a build with -Db_sanitize=thread (tools/tsan makes it)
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl tests/tsan/planted_race'
export WEIR_BUILD=${WEIR_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build-tsan} WEIR_PATIENCE=${WEIR_PATIENCE:-4}
export WEIR_RESOLVERS=${WEIR_RESOLVERS:-2} WEIR_FRONTENDS=${WEIR_FRONTENDS:-2}
. "$(dirname "$0")/_options.sh"
seconds=${WEIR_LONG:+300} seed=1
seconds=${seconds:-45}
options 'seconds seed' "$@"
. "$(dirname "$0")/_init.sh"
grep -q __tsan_init "$WEIR_BUILD/controlplane/weir-controlplane" 2>/dev/null ||
	[ ! -e "$WEIR_BUILD/controlplane/weir-controlplane" ] || { echo "skipped: $WEIR_BUILD has no thread sanitizer"; exit 77; }

reports=$tmp/reports
mkdir $reports
export TSAN_OPTIONS="log_path=$reports/report suppressions=$root/tools/tsan.supp second_deadlock_stack=1 history_size=5"
# reported N: so many reports have been written
reported() { [ "$(cat $reports/* 2>/dev/null | grep -c '^WARNING: ThreadSanitizer')" = "$1" ]; }

clickhouse_pid=0
if command -v clickhouse-server >/dev/null; then
	. "$smoke_dir/clickhouse_lib.sh"
	ch_start 1
	clickhouse_pid=$(ch_pid 1)
fi
upstream 5302 $tmp/up2.log
lab_up
check "a race that was planted is reported" eval '! "$WEIR_BUILD/tests/tsan/planted_race" && reported 1'
rm -f $reports/*

# Names whose upstream lies, loses, fails, is slow or sends long replies, beside ordinary ones; most are queried again.
for ((i = 0; i < 4000; i++)); do
	for word in ok-1 ok-3000 n$((i % 500))-2 lie tc nx empty big cname_h$((i % 50))_test serial-3; do
		printf '%s.m%d.test %s\n' $word $((i % 997)) A
	done
	((i % 20)) || printf 'dead.m%d.test A\nfail.m%d.test A\nslow.m%d.test AAAA\nh%d.lan.test A\nb%d.blocked.test A\n' $i $i $i $i $((i % 200))
done >$tmp/names
load() { client dnsperf -s $service -d $tmp/names -l $((seconds + 600)) "$@" >/dev/null 2>&1; }
load -Q 300 -q 200 &
load -m tcp -Q 60 -c 20 -q 100 &
client $python "$smoke_dir/rig/soak_churn.py" $((seconds + 600)) $seed >/dev/null 2>&1 &
fstrm_capture -t protobuf:dnstap.Dnstap -u $tmp/dnstap.sock -w $tmp/taken.dnstap >/dev/null 2>&1 &
capture=$!
drive() { $python "$smoke_dir/rig/race_drive.py" "$lab" $tmp $seconds $seed $clickhouse_pid >$tmp/did || { cat $tmp/did && return 1; }; }
check "everything at once" drive
sed 's/^/# /' $tmp/did
kill $(pgrep -x dnsperf) $(pgrep -f soak_churn.py) $capture
check "and then an answer" eventually resolves ok-3000.after.test
"$lab" stop dataplane >/dev/null
"$lab" stop controlplane >/dev/null
same "both ended when they were asked to" 2 "$(grep -l 'stopping' /run/weir/lab/{dataplane,controlplane}.log | wc -l)"
check "no race is reported" reported 0
cat $reports/* 2>/dev/null | head -n 400
finish
