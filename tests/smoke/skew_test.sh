#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Shared memory that was broken while its reader was down: cut off, overwritten, of another ABI version, of another size.
# Refused or created again, with a clear message; never a crash.
. "$(dirname "$0")/_init.sh"

lab_up
asked() { up_log | grep -c "$1"; }
said() { log_since "$1" | grep -qiE "$2"; }
well() { # well WHAT: the process lives and both serve
	check "$1: it runs" eventually test -d "/proc/$(pid "$1")"
	check "$1: misses are served" eventually resolves "ok.new-$RANDOM.test"
	check "$1: blocked names are blocked" eventually blocks
}
# broken WHAT TEXT REGION PATTERN CMD...: WHAT is killed, CMD damages REGION's file, WHAT is started
broken() {
	local what=$1 text=$2 file pattern=$4
	file=$(region "$3")
	shift 4
	echo "# $what down, ${file##*/}: $text"
	mark
	check "killed" "$lab" kill "$what"
	check "damaged" "$@" "$file"
	check "started" "$lab" start "$what"
	[ -z "$pattern" ] || check "it says so" eventually said "$what" "$pattern"
	well "$what"
}
damage() { $python "$smoke_dir/rig/damage.py" "$@"; }
cut_off() { damage 5000 cut "$1"; }
empty() { damage 0 cut "$1"; }
noise() { damage 0 noise "$1"; }
noise_behind() { damage 4096 noise "$1"; }
one_byte() { damage 5300 ff "$1"; }
# The version lies behind the magic.
skew() { damage 8 ffff "$1"; }
geometry() { damage 65 010203 "$1"; }

for name in directory l0.*; do
	broken controlplane "another ABI version" "$name" 'ABI version' skew
	broken controlplane "overwritten" "$name" 'not a weir region|not usable' noise
	broken controlplane "geometry overwritten" "$name" 'damaged header|not usable' geometry
done
broken controlplane "all but the header overwritten" 'l0.*' 'cache reused: 0 records kept|discarded' noise_behind
broken controlplane "another ABI version" 'rule_image.*' 'not usable: .*ABI version' skew
broken controlplane "all but the header overwritten" 'rule_image.*' '' noise_behind
# Made again for a data plane that runs on, and maps the new one.
broken controlplane "another ABI version" answers.0 '/answers[.]0: ' skew
broken controlplane "overwritten" answers.0 '/answers[.]0: ' noise
# weir creates these again, whatever they hold. (Only stats may be cut: the living process maps the others.)
for name in rings.0 'marks.0.*' stats; do
	broken dataplane "another ABI version" "$name" '' skew
	broken dataplane "overwritten" "$name" '' noise
done
broken dataplane "cut off" stats '' cut_off
broken dataplane "another ABI version" reader 'reader of an earlier run not usable .*ABI version' skew
broken dataplane "overwritten" reader 'reader of an earlier run not usable' noise
# The control plane, which lives, publishes these once more.
broken dataplane "one byte overwritten" 'rule_image.*' 'refused new state: rule_image.*checksum' one_byte
check "it was published again" eventually grep -q 'has not activated the rules of generation .*: publishing them again' /run/weir/lab/controlplane.log
broken dataplane "another ABI version" 'rule_image.*' 'refused new state: .*ABI version' skew
broken dataplane "gone" 'rule_image.*' 'refused new state: ' rm -f
broken dataplane "one byte overwritten" 'policy.*' 'refused new state: policy.*damaged' one_byte
check "it was published again" eventually grep -q 'has not activated the groups of generation .*: publishing them again' /run/weir/lab/controlplane.log
broken dataplane "gone" 'policy.*' 'refused new state: ' rm -f

echo "# both down"
both() { # both TEXT REGION CMD [PATTERN: what the data plane alone says [NAME: asked [ANSWER]]]
	local file
	file=$(region "$2")
	echo "# both down, ${file##*/}: $1"
	mark
	check "killed" bash -c "'$lab' kill dataplane; '$lab' kill controlplane"
	check "damaged" "$3" "$file"
	check "the data plane alone bears it" "$lab" start dataplane
	check "and answers" grep -qE "${6-SERVFAIL|NOERROR}" <<<"$(rcode @$service "${5-ok-3000.cached.test}" A)"
	[ -z "${4-}" ] || check "it says so" eventually said dataplane "$4"
	check "then the control plane" "$lab" start controlplane
	well dataplane
	well controlplane
}
both "cut off" 'l0.*' cut_off
both "empty" 'rule_image.*' empty
both "one byte overwritten" 'rule_image.*' one_byte 'refused new state: rule_image.*checksum'
# What is cached is for those who may ask, and that is not known then.
same "an answer for some" 198.18.200.1 "$(short ok-3000.open.test A)"
both "one byte overwritten" 'policy.*' one_byte 'refused new state: policy.*damaged' ok-3000.open.test SERVFAIL
both "cut off" directory cut_off
both "another ABI version" 'l0.*' skew
both "overwritten" 'rule_image.*' noise_behind
both "overwritten" 'l0.*' noise_behind
both "overwritten" directory noise_behind

echo "# another size of the cache"
same "an answer to keep" 198.18.200.1 "$(short ok-3000.kept.test A)"
had=$(asked kept.test)
one_cache() { [ "$(find /run/weir /dev/shm $(huge_mounts) -maxdepth 2 -name 'l0.*' | wc -l)" = 1 ]; }
for size in 16 8; do
	mark
	check "$size MiB: stopped" "$lab" stop controlplane
	sed -i "s/l0_mb: .*/l0_mb: $size/" /run/weir/lab/weir.yaml
	same "$size MiB: answered meanwhile" 198.18.200.1 "$(short ok-3000.kept.test A)"
	check "$size MiB: started" "$lab" start controlplane
	check "$size MiB: records are copied" eventually said controlplane 'cache of the new size: [1-9][0-9]* records copied'
	check "$size MiB: activated" eventually bash -c \
		"'$WEIR_BUILD/tools/ctl/weirctl' -c /run/weir/lab/weir.yaml --json status |
		jq -e '.dataplane.l0_generation == .controlplane.generations.l0'"
	same "$size MiB: still answered" 198.18.200.1 "$(short ok-3000.kept.test A)"
	same "$size MiB: and not asked again" "$had" "$(asked kept.test)"
	check "$size MiB: the old one is gone" eventually one_cache
done
check "every frame has one verdict" verdicts_add_up
finish
