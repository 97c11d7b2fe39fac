#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two frontend threads: TCP and the UDP fallback are divided between them, bounds hold for both, a hung one is named, kills and
# restarts leave nothing behind.
export WEIR_FRONTENDS=2
. "$(dirname "$0")/_init.sh"

upstream 5301 $tmp/up.log
must "up" "$lab" up --xdp --upstream 127.0.0.1:5301
check "a first answer" eventually resolves ok-3000.cached.test
config=$(readlink -f /run/weir/lab/weir.yaml)
tcp() { client kdig +tcp +short +timeout=10 +retry=0 "$@"; }
tcp_count() { weirctl --json tcp | jq -r ".$1"; }
each() { weirctl --json stats --interval 0 | jq -r ".controlplane.frontend.each[$1].$2"; }
threads() { ps -T -o comm= -p "$(pid controlplane)" | grep -c '^weir-frontend-'; }
generations() { weirctl --json status | jq ".controlplane.generations.$1"; }
fallback() { weirctl --json status | jq ".controlplane.fallback.$1"; }
fds() { ls "/proc/$(pid controlplane)/fd" | wc -l; }
fds_are() { [ "$(fds)" = "$1" ]; }

same "two threads" 2 "$(threads)"
same "as status says" 2 "$(generations frontends)"
same "none hangs" 0 "$(generations frontends_hung)"
same "as the metrics say" "weir_frontends 2" "$(weirctl metrics | grep '^weir_frontends ')"

# Clients at the script's end of a pipe: python keeps them open.
cat >$tmp/clients.py <<PY
import sys, time
sys.path.insert(0, "$smoke_dir/rig")
from tcp_load import *

def asked(sock, name="ok-3000.cached.test"):
    sock.sendall(framed(query(name)))
    reply = read_reply(sock)
    assert reply and good(reply), reply
    return sock

def many():
    socks = [asked(connect()) for _ in range(64)]
    for i, sock in enumerate(socks):
        asked(sock, f"ok-3000.n{i}.test")

def ended(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True

def over():
    """More connections than one client may have: the new one is served, and none is refused."""
    socks = [asked(connect()) for _ in range(3)]
    for i in range(40):
        socks.append(asked(connect()))
    # The other frontend closes an idle one later than its place is taken.
    for _ in range(600):
        left = [sock for sock in socks if not ended(sock)]
        if len(left) <= 3:
            break
        time.sleep(0.1)
    assert len(left) == 3, left
    for sock in left:
        sock.settimeout(PATIENCE)
        asked(sock)

globals()[sys.argv[1]]()
PY
clients() { client timeout 60 $python $tmp/clients.py "$@"; }
check "64 connections, each answered" clients many
check "both frontends had some" test "$(each 0 tcp_queries)" -gt 10 -a "$(each 1 tcp_queries)" -gt 10
same "128 queries in all" 128 "$(tcp_count queries)"
nothing_open() { [ "$(tcp_count open) $(tcp_count pending)" = "0 0" ]; }
check "nothing is left of them" eventually nothing_open

sed -i 's/per_client: 12288/per_client: 3/' "$config"
check "a smaller bound, by a reload of both" weirctl config reload
before=$(tcp_count ended.evicted_client)
check "one over it takes the place of an idle one, wherever that is" clients over
same "40 of 43 did" 40 "$(($(tcp_count ended.evicted_client) - before))"
same "none was refused" 0 "$(tcp_count refused_client)"
sed -i 's/per_client: 3/enabled: false/' "$config"
check "turned off" weirctl config reload
check "neither listens" eval '! tcp @$service ok-3000.cached.test A'
sed -i 's/enabled: false/per_client: 12288/' "$config"
check "turned on" weirctl config reload
same "it answers again" 198.18.200.1 "$(tcp @$service ok-3000.cached.test A)"
check "its tables are there once" eval 'weirctl --json mem tables | jq -e "[.tables[] | select(.name == \"tcp_connections\")] | length == 1 and .[0].cap == 12288"'

for i in 0 1; do
	held=$tmp/held
	thread=$(ps -T -o spid=,comm= -p "$(pid controlplane)" | awk -v n=weir-frontend-$i '$2 == n { print $1 }')
	$python "$smoke_dir/rig/hold_thread.py" "$thread" $held &
	holder=$!
	check "frontend $i is held still" eventually test -e $held
	hung() { [ "$(generations frontends_hung)" = "$1" ]; }
	check "status says that one hangs" eventually hung 1
	check "so does the log" eventually grep -q "frontend $i hangs" /run/weir/lab/controlplane.log
	for n in $(seq 20); do # more than the control API serves at a time
		check "status goes on: $n" weirctl status
	done
	same "it is left out" "true false" "$(each $i hangs) $(each $((1 - i)) hangs)"
	check "metrics go on" weirctl metrics
	check "a reload is refused" eval '! weirctl config reload >$tmp/said 2>&1 && grep -q "frontend $i hangs .*nothing has changed" $tmp/said'
	check "tables of memory go on" weirctl mem tables
	rm $held && wait $holder
	check "it is back" eventually hung 0
	same "and in the sum" "false false" "$(each 0 hangs) $(each 1 hangs)"
done

check "kill -9 of the data plane" "$lab" kill dataplane
udp() { local i; for ((i = 0; i < 40; i++)); do resolves "ok-3000.u$i.test" || return; done; }
same "sockets of both addresses" "2 2" "$(fallback addresses) $(fallback bound)"
check "40 clients over UDP are answered" eventually udp
check "by both frontends" test "$(each 0 udp_received)" -gt 0 -a "$(each 1 udp_received)" -gt 0
same "TCP too" 198.18.200.1 "$(tcp @$service ok-3000.new.test A)"
check "the data plane comes back" "$lab" start dataplane
check "and answers" eventually resolves ok-3000.back.test

check "kill -9 of the control plane" "$lab" kill controlplane
check "it starts again" "$lab" start controlplane
tcp_answers() { [ "$(tcp @$service ok-3000.cached.test A)" = 198.18.200.1 ]; }
check "TCP answers" eventually tcp_answers
check "two threads again" test "$(threads)" = 2
check "settled" eventually nothing_open
unmoved() { start=$(fds) && for i in 1 2 3; do sleep 0.3; fds_are "$start" || return; done; }
check "so are its descriptors" eventually unmoved
check "64 connections again" clients many
check "descriptors are back to the start" eventually fds_are "$start"
same "no frontend hangs" 0 "$(generations frontends_hung)"
check "an ordinary stop" "$lab" stop controlplane
check "which says nothing of errors" eval '! grep -qE "AddressSanitizer|ThreadSanitizer|Assertion" /run/weir/lab/controlplane.log'
finish
