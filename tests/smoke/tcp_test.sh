#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# TCP/53 through the exception port: answers as over UDP, large ones whole, 10,000 connections, clients that mean ill.
. "$(dirname "$0")/_init.sh"

lab_up
# An upstream that is late by 50 ms gets a query twice.
asked() { up_log | grep -c ' ok-3000.cached.test 1$'; }
asked=$(asked)
check "UDP has asked" test "$asked" -ge 1
tcp() { client kdig +tcp +timeout=10 +retry=0 "$@"; }
load() { client $python "$smoke_dir/rig/tcp_load.py" "$@"; }
tcp_count() { weirctl --json tcp | jq -r ".$1"; }
answers() { grep -o 'ANSWER: [0-9]*' <<<"$1" | head -n 1; }

same "a cached name" 198.18.200.1 "$(tcp +short @$service ok-3000.cached.test A)"
same "over IPv6" 198.18.200.1 "$(tcp +short @$service6 ok-3000.cached.test A)"
same "one that is not cached" 198.18.200.1 "$(tcp +short @$service ok.fresh.test A)"
same "a blocked one" NXDOMAIN "$(tcp @$service blocked.test A | rcode_of)"
same "TCP found what UDP had asked for" "$asked" "$(asked)"
same "UDP truncates a large answer" 1 "$(client kdig +notcp +ignore @$service big.test TXT | grep -c ' tc[; ]')"
same "TCP has all of it" "ANSWER: 20" "$(answers "$(tcp @$service big.test TXT)")"
same "a client that gets TC asks again" "ANSWER: 20" "$(answers "$(client kdig @$service big.test TXT)")"
same "13 KiB" "ANSWER: 60" "$(answers "$(tcp @$service huge.test TXT)")"
same "and from the cache" "ANSWER: 60" "$(answers "$(tcp @$service huge.test TXT)")"
check "200 questions at once, out of order" load pipeline
check "a client that has closed its side gets its answers" load half
check "keepalive" load keepalive
check "what is no DNS" load broken
config=$(readlink -f /run/weir/lab/weir.yaml)
sed -i 's/^tcp:/&\n  idle_timeout: 600/' "$config"
check "who is silent may stay, so that it matters not how long the next takes" weirctl config reload
check "10,000 connections at one time; UDP does not notice" load many
check "all of them were there" test "$(tcp_count open_max)" -ge 10000
sed -i '/idle_timeout/d' "$config"
check "silence ends connections again" weirctl config reload
check "5,000 slow clients; a new one is answered within a second, and UDP does not notice" load slow
none_left() { [ "$(tcp_count open) $(tcp_count pending) $(tcp_count buffered)" = "0 0 0" ]; }
check "nothing is left of them" eventually none_left
check "weirctl tcp" grep -q "listens on $service:53" <(weirctl tcp)

sed -i 's/per_client: 12288/per_client: 3/' "$config"
check "a smaller cap takes effect" weirctl config reload
client timeout 60 $python -c "
import sys; sys.path.insert(0, '$smoke_dir/rig')
from tcp_load import *
socks = [connect() for _ in range(10)]
socks[-1].sendall(framed(query('ok-3000.cached.test')))
assert good(read_reply(socks[-1]))"
same "of ten connections of one client three stay" 7 "$(tcp_count ended.evicted_client)"
sed -i 's/per_client: 3/enabled: false/' "$config"
check "turned off" weirctl config reload
check "nobody listens" eval '! tcp @$service ok-3000.cached.test A'
sed -i 's/enabled: false/enabled: true/' "$config"
check "turned on" weirctl config reload
same "it answers again" 198.18.200.1 "$(tcp +short @$service ok-3000.cached.test A)"
check "its tables are in the status" eval 'weirctl --json stats --interval 0 | grep -q tcp_connections'
"$lab" kill controlplane >/dev/null
"$lab" start controlplane >/dev/null
eventually eval '[ "$(tcp +short @$service ok-3000.cached.test A)" = 198.18.200.1 ]'
same "and after a kill -9 of the control plane" 198.18.200.1 "$(tcp +short @$service ok-3000.cached.test A)"
check "every frame has one verdict" verdicts_add_up
finish
