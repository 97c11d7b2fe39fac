#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two versions of weir at once, as in an upgrade box by box: a primary and secondaries of another protocol, keys that only a newer weir
# knows, state files that only a newer one reads, and a data plane of another ABI version. The box serves on, and says which it is.
. "$(dirname "$0")/_init.sh"

lab_up
dir=/run/weir/lab/control
log=/run/weir/lab/controlplane.log
mkdir -m 700 $dir
. "$smoke_dir/certificates.sh"
{ authority ca && certificate server ca IP:127.0.0.1; } 2>/dev/null
umask 077
echo token >$dir/token
protocol=$(sed -n 's/.*SYNC_PROTOCOL = \([0-9]*\).*/\1/p' "$root/controlplane/sync/sync_reply.h")
fleet() { weirctl --json fleet status | jq -r "$1"; }
has_reason() { weirctl --json ready | jq -e --arg id "$1" '[.. | objects | select(.id? == $id)] | length > 0'; }
serves() { blocks again.test && resolves "ok-$RANDOM.skew.test"; }

echo "# secondaries of another weir poll this box"
poll() { # poll PROTOCOL SOFTWARE: the status of the reply, whose body is in $tmp/body
	curl -s -m 10 -o $tmp/body -w '%{http_code}' --unix-socket /run/weir/control/control.sock -d protocol="$1" -d box=peer -d epoch=0 -d primary= \
		-d digest= -d version=0 -d result=none -d reason= -d ready=1 -d unix_ms=1 --data-urlencode software="$2" http://weir/v1/sync
}
for other in $((protocol - 1)) $((protocol + 1)); do
	same "protocol $other is refused" 400 "$(poll $other 9.9)"
	check "and both are named" grep -q "protocol $other, this box $protocol: install one version" $tmp/body
done
must "the health of this box holds" eventually eval 'later 3; [ "$(poll $protocol 9.9.0+newer)" = 200 ]'
same "the other version is shown" 9.9.0+newer "$(fleet '.primary.boxes[] | select(.name == "peer") | .software')"
check "and nobody gets a plan for a box without an address" eval '! weirctl fleet upgrade --plan >$tmp/plan 2>&1 && grep -q "no address" $tmp/plan'

echo "# a newer primary"
offer() { jq -n "$1" >$tmp/offer.new && mv $tmp/offer.new $tmp/offer; }
polled() { [ "$(jq -r .result $tmp/polled)" = "$1" ]; }
offer '{version: 5, text: "blocking:\n  deny: [newer.test]\n", new_field: {a: [1]}}'
$python "$smoke_dir/rig/sync_primary.py" 9971 $dir/server.pem $dir/server.key $tmp/offer $tmp/polled &
cat >>$config <<END
sync: {name: box2, primary: "https://127.0.0.1:9971", token_file: $dir/token, ca_file: $dir/ca.pem, own: [upstreams, local]}
END
must "this box follows it" weirctl config apply --keep
must "it takes a version, and ignores a field that it does not know" eventually eval 'later 3; polled held'
check "the version is in force" eventually blocks newer.test
refuses() { # refuses WHAT NAME VERSION
	must "it refuses $1" eventually eval "ahead 1; polled refused && [ \$(jq -r .version $tmp/polled) = $3 ]"
	check "and names it to the primary" eval "jq -r .reason $tmp/polled | tee $tmp/reason | grep -q $2"
	check "and to its operator" eval "weirctl fleet status | grep -q 'refused: .*$2'"
	check "which is a reason" has_reason sync_version
	check "it serves on" blocks newer.test
}
offer '{version: 6, text: "blocking:\n  deny: [newer.test]\n  newer_key: 1\n"}'
refuses "a key that only the newer weir knows" newer_key 6
offer '{version: 7, text: "blocking:\n  deny: [newer.test]\nnewer_section: {a: 1}\n"}'
refuses "a section that only the newer weir knows" newer_section 7
offer '{version: 8, text: "blocking:\n  deny: [again.test]\n"}'
must "it takes the next version without them" eventually eval 'later 3; polled held && blocks again.test'
offer '{version: 9, text: "blocking:\n  deny: [newer.test]\n", skew: 1}'
check "a newer protocol is named" eventually eval 'ahead 1; fleet .secondary.why | grep -q "protocol $((protocol + 1)), this box $protocol: install one version"'
check "it serves on" blocks again.test
offer '{version: 8, text: "blocking:\n  deny: [again.test]\n"}'

echo "# state files of a newer weir"
state=/run/weir/lab/state
must "the control plane stops" "$lab" stop controlplane
newest=$(cat $state/config/current)
sed '1s/.*/weir-config-of-a-newer-weir 99/' $state/config/"$newest".version >$state/config/$((newest + 1)).version
echo $((newest + 1)) >$state/config/current
printf 'weir-sync 99\nepoch 3\nsum 0\n' >$state/sync
mark
must "and starts on them" "$lab" start controlplane
check "a newer version of the configuration is passed over" eventually blocks again.test
check "it says so" eval "log_since controlplane | tee $tmp/since | grep -q '$((newest + 1))[.]version'"
check "so does the epoch's file" grep -q 'state/sync cannot be used' $tmp/since
must "it follows the primary as before" eventually eval 'later 3; polled held'

echo "# a data plane of another ABI version"
must "the data plane stops" "$lab" stop dataplane
mark
check "another one greets, and gets no welcome" $python -c 'import socket, struct, sys
link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
link.settimeout(10)
link.connect("/run/weir/control/link.sock")
link.send(struct.pack("<8sIIQ", b"WERSHM01", int(sys.argv[1]) + 1, 1, 7))
welcome = link.recv(64)
sys.exit(0 if not welcome or struct.unpack_from("<i", welcome, 12)[0] != 0 else f"welcome: {welcome}")' \
	"$(sed -n 's/^#define SHM_ABI_VERSION \([0-9]*\).*/\1/p' "$root/include/weir/shm_abi.h")"
check "the log names both" eventually eval 'log_since controlplane | grep -q "its ABI version is [0-9]*, weir.s is [0-9]*: restart both processes from the same build"'
must "the right one starts" "$lab" start dataplane
check "and serves" eventually serves
finish
