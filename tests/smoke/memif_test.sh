#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# --port with a memif: no client namespace, the service answers ARP and NDP itself, every reply right under load.
. "$(dirname "$0")/_init.sh"

upstream 5301 $tmp/up.log
socket=/run/weir-memif.sock
ip tuntap add mode tap name wt0 && ip tuntap add mode tap name weir0 || exit 1 # other programs': this lab makes no interface
must "up" "$lab" up --upstream 127.0.0.1:5301 --port "net_memif0,role=server,socket-abstract=no,socket=$socket"
eventually memif_listens $socket
mkfifo $tmp/hold
# --stay: a memif client must not leave before the server stops (DPDK 22.11 takes the server's rings away with it).
"$WEIR_BUILD/tools/loadgen/weir-loadgen" -d "net_memif0,role=client,socket-abstract=no,socket=$socket" -s $service,198.18.0.2 \
	-s $service6,fd53::2 -n 2000 -q 100000 -t 240 -w 128 -l 0 --stay <$tmp/hold >$tmp/load.json 2>$tmp/load.err &
load=$!
exec 9>$tmp/hold
for _ in $(seq 3000); do [ -s $tmp/load.json ] && break; kill -0 $load || break; sleep 0.1; done
cat $tmp/load.json $tmp/load.err
same "no reply is wrong" 0 "$(jq .bad <$tmp/load.json)"
same "none is lost" 0 "$(jq .lost <$tmp/load.json)"
check "under load" test "$(jq .answered <$tmp/load.json)" -ge 10000
check "every frame has one verdict" verdicts_add_up
check "ARP was answered by the data plane" test "$(dp verdict arp_reply)" -ge 1
check "and neighbour discovery" test "$(dp verdict ndp_reply)" -ge 1
same "no packet buffer is missing" 0 "$(weirctl --json stats --interval 0 | jq '[.dataplane.workers[].mbuf_breaches] | add')"
# What the port is set up to do, and that it cannot drop by itself: said, and nothing else changes.
# The data plane looks at a memif's link twice a second, and the load above may be over sooner.
link_is_up() { [ "$(weirctl --json ports | jq '.ports[0].link_up')" = true ]; }
check "weirctl ports knows the link" eventually link_is_up
same "and the MTU" 1500 "$(weirctl --json ports | jq '.ports[0].mtu')"
check "a source to drop" weirctl drops add 198.18.77.0/24 5
same "is listed" 198.18.77.0/24 "$(weirctl --json drops list | jq -r '.drops[0].source')"
check "memif refuses it, and weirctl says so" eventually eval "weirctl drops list | grep -q 'in force on a port: 0, .*refused by all ports since start: 1'"
check "removed" weirctl drops remove 198.18.77.9/24
same "and gone" 0 "$(weirctl --json drops list | jq '.drops | length')"
audit_check
"$lab" down >/dev/null
exec 9>&-
check "other programs' interfaces stay" eval 'ip link show dev weir0 && ip link show dev wt0'
check "the generator ends well" wait $load
finish
