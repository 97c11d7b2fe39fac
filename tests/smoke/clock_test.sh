#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A start with a clock that is behind: for a bounded time dates of signatures and of upstream servers' certificates do not
# count, and all else is checked as always. The machine's clock is right; what makes it look behind is the time that
# weir has saved, as if by a run a month later, in another boot.
SMOKE_TIMEOUT=${SMOKE_TIMEOUT:-600}
. "$(dirname "$0")/_init.sh"
[ -n "${WEIR_CLOCK-}" ] || { echo "skipped: needs the tests' clock (-Dfault_points=true)"; exit 77; }

dir=$tmp/tls
mkdir $dir
. "$smoke_dir/rig/dnssec_zones.sh"
. "$smoke_dir/upstream_lib.sh"
secure_start() { # secure_start CERTIFICATE: over TLS and HTTPS, 192.0.2.77 for all names below unbound.test
	unbound_conf $dir unbound 'interface: 127.0.0.1@853' 'interface: 127.0.0.1@443' 'tls-port: 853' 'https-port: 443' \
		"tls-service-key: $dir/$1.key" "tls-service-pem: $dir/$1.pem" 'local-zone: "unbound.test" redirect' \
		'local-data: "unbound.test 60 A 192.0.2.77"' >$dir/unbound.conf
	unbound -c $dir/unbound.conf 2>>$dir/unbound.err &
	unbound=$!
	eventually listens 127.0.0.1:853 && eventually listens 127.0.0.1:443
}
check "certificates" eval "authority ca && authority stranger && expired_certificate dated ca dns.test &&
	expired_certificate foreign stranger dns.test"
check "zones" tree_make
check "NSD" nsd_start
check "unbound, with a certificate of 2020" secure_start dated
redis-server --port 6401 --bind 127.0.0.1 --save '' --appendonly no --dir $tmp >$tmp/redis.log &
lab_up

state=/run/weir/lab/state/clock
# saved BOOT SECONDS UNTIL_MS: what a run of that boot has saved, so much later than now
saved() {
	$python - "$@" >$state <<-'END'
		import ctypes, ctypes.util, sys, time
		text = b"weir-clock 1\nboot %s\nunix_s %d\nuntil_ms %d\n" % (sys.argv[1].encode(), time.time() + int(sys.argv[2]), int(sys.argv[3]))
		sum_of = ctypes.CDLL(ctypes.util.find_library("xxhash")).XXH3_64bits
		sum_of.restype, sum_of.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
		sys.stdout.write(text.decode() + "sum %016x\n" % sum_of(text, len(text)))
	END
}
asks() { client kdig +timeout=8 +retry=1 @$service "$@"; }
flags_of() { asks "$@" | sed -n 's/^;; Flags: \([a-z ]*\);.*/\1/p'; }
has_ad() { grep -qw ad <<<"$(flags_of +adflag "$@")"; }
has_no_ad() { local flags; flags=$(flags_of +adflag "$@") && [ -n "$flags" ] && ! grep -qw ad <<<"$flags"; }
is_bogus() { [ "$(asks "$@" A | rcode_of)" = SERVFAIL ]; }
ede_of() { asks +edns "$@" | sed -n 's/.*EDE: \([0-9]*\).*/\1/p'; }
left() { weirctl --json status | jq .controlplane.clock.grace_left_ms; }
is_over() { [ "$(left)" = 0 ]; }
behind() { weirctl --json status | jq .controlplane.clock.behind; }
metric() { curl -s --unix-socket /run/weir/control/control.sock http://weir/metrics | sed -n "s/^$1 //p"; }
events_of() { weirctl --json events | jq -r "select(.kind == \"$1\") | .fields.why"; }
l1_keys() { redis-cli -p 6401 --scan --pattern 'weir:*' | wc -l; }
again() { # again SAVED...: stopped, and started with that file; without words with the one that it left
	$lab stop controlplane && { [ $# -eq 0 ] || saved "$@"; } && $lab start controlplane && wait_for generations
}

{
	sed '/^upstreams:/,/^[^ ]/{/^upstreams:/d;/^ /d}' $config
	cat <<-END
		upstreams: {servers: [{address: 127.0.0.1:5303, name: nsd}], ca_file: $dir/ca.pem}
		dnssec: {anchors: $zones/anchor, validate: true, negative_anchors: [unbound.test], clock_grace: 600}
		forward_zones:
		- {name: unbound.test, servers: ['tls://dns.test@127.0.0.1']}
		- {name: doh.unbound.test, servers: ['https://dns.test@127.0.0.1/dns-query']}
		redis: {mode: standalone, addresses: ["127.0.0.1:6401"], timeout_ms: 5000, lookup_timeout_ms: 1000}
	END
} >$tmp/next.yaml
cp $tmp/next.yaml $config
check "the configuration" taken_over weirctl config reload --keep

strict() { # strict WHEN
	check "not yet valid, $1: SERVFAIL" is_bogus www.early.alpha
	same "says why, $1" 8 "$(ede_of www.early.alpha A)"
	check "expired, $1: SERVFAIL" is_bogus www.expired.alpha
	check "a server with a certificate of 2020, $1: not asked" fails $2.unbound.test
	check "nor over HTTPS, $1" fails $2.doh.unbound.test
	check "a good name has AD, $1" has_ad www.good.alpha A
}
echo "# a clock that is right"
strict "the clock being right" before
same "no grace" 0 "$(left)"
check "the time is saved" grep -q "^boot $(cat /proc/sys/kernel/random/boot_id)$" $state
check "and the date of the program" grep -q "^built_s $(stat -Lc %Y "/proc/$(cut -d" " -f1 /run/weir/lab/controlplane.pid)/exe")$" $state

echo "# a boot with a clock that is behind"
redis-cli -p 6401 flushall >/dev/null
check "started" again another $((30 * 86400)) 0
check "the grace is on" test "$(left)" -gt 500000 -a "$(left)" -le 600000
same "not yet valid: an answer" 192.0.2.1 "$(short www.early.alpha A)"
same "expired: an answer" 192.0.2.1 "$(short www.expired.alpha A)"
check "with a time to live" test "$(asks +noall +answer www.expired.alpha A | awk '{ print $2 }')" -gt 1
check "never with AD" has_no_ad www.early.alpha A
check "nor with DO" has_no_ad +dnssec www.expired.alpha A
check "nor a good one" has_no_ad www.good.alpha A
check "a bad signature: SERVFAIL" is_bogus www.badsig.alpha
same "says why" 6 "$(ede_of www.badsig.alpha A)"
check "no key for the DS: SERVFAIL" is_bogus www.wrongds.alpha
check "no signatures: SERVFAIL" is_bogus www.stripped.alpha
same "a server with a certificate of 2020" 192.0.2.77 "$(short a.unbound.test A)"
same "over HTTPS, too" 192.0.2.77 "$(short a.doh.unbound.test A)"
check "status says so" grep -q '^THE CLOCK IS BEHIND: dates .* not checked for up to [0-9]' <<<"$(weirctl status)"
check "a reason" grep -q 'the clock is behind: for up to [0-9]* s dates' <<<"$(weirctl ready)"
same "an event" "the clock is behind" "$(events_of clock_grace_began)"
check "a metric" grep -q '^5[0-9][0-9]' <<<"$(metric weir_clock_grace_left_seconds)"
same "another" 1 "$(metric weir_clock_behind)"
same "nothing in L1" 0 "$(l1_keys)"

echo "# no more of it by a restart"
ahead 100
check "started again" again
check "what is left of it" test "$(left)" -gt 300000 -a "$(left)" -le 500000
same "expired: an answer" 192.0.2.1 "$(short www.expired.alpha A)"
kill $unbound; wait $unbound 2>/dev/null
check "a certificate of a stranger" secure_start foreign
check "is not taken" fails stranger.unbound.test
check "nor over HTTPS" fails stranger.doh.unbound.test
kill $unbound; wait $unbound 2>/dev/null
check "the one of 2020 again" secure_start dated
again_by() { [ "$(short "$1-$RANDOM.$2" A)" = 192.0.2.77 ]; }
check "is taken" eventually again_by again unbound.test
check "over HTTPS, too" eventually again_by again doh.unbound.test
connections() { [ "$(ss -Htn state established dst 127.0.0.1 "( dport = :853 or dport = :443 )" | wc -l)" "$@" ]; }
check "by connections that are open" connections -gt 0
ahead 510
check "its time is over" eventually is_over
check "its connections are closed" eventually connections -eq 0
gone() { is_bogus www.expired.alpha; }
check "its answers have left the cache" eventually gone
strict "after the grace" after
same "said" "its time is over" "$(events_of clock_grace_ended)"
check "still behind" grep -q 'signatures and certificates are checked by it' <<<"$(weirctl ready)"
check "L1 is used" eventually eval '[ "$(l1_keys)" -gt 0 ]'
check "without what the grace learned" eval "! redis-cli -p 6401 --scan --pattern 'weir:www.e*' | grep -q ."

echo "# no second one in this boot"
check "started" again "$(cat /proc/sys/kernel/random/boot_id)" $((30 * 86400)) 0
same "no grace" 0 "$(left)"
same "nor is it behind, whatever was saved in this boot" false "$(behind)"
strict "in the same boot" same

echo "# the clock is set"
check "started in another boot" again another 2000 0
check "the grace is on" test "$(left)" -gt 0
same "expired: an answer" 192.0.2.1 "$(short www.expired.alpha A)"
sed -i 's/clock_grace: 600/clock_grace: 3600/' $config
check "an hour of it" again another 2000 0
check "is on" test "$(left)" -gt 3000000
same "expired: an answer" 192.0.2.1 "$(short www.expired.alpha A)"
ahead 2500
check "it has ended" eventually is_over
same "because" "the clock is right" "$(events_of clock_grace_ended)"
same "no reason any more" false "$(behind)"
check "strict again" eventually gone
check "good names have AD" eventually has_ad www.good.alpha A

echo "# off"
sed -i 's/clock_grace: 3600/clock_grace: 0/' $config
check "started" again another $((30 * 86400)) 0
same "no grace" 0 "$(left)"
check "expired: SERVFAIL" is_bogus www.expired.alpha
saved_s() { sed -n 's/^unix_s //p' $state; }
before=$(saved_s)
ahead 50
check "stopped" $lab stop controlplane
check "the time of the end is saved" test "$(saved_s)" -ge $((before + 50))
same "none was not saved" 0 "$(grep -c 'not saved' /run/weir/lab/controlplane.log)"
finish
