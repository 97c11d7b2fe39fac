#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What the RFCs ask, test by test, of the real binaries in one start, with two frontends. One alone: conformance_test.sh rfc6891
# Others: WEIR_FRONTENDS=1 WEIR_RESOLVERS=2; over TLS and HTTPS: --over tls,https (run.py)
export WEIR_FRONTENDS=${WEIR_FRONTENDS:-2}
. "$(dirname "${BASH_SOURCE[0]}")/../smoke/_init.sh"

here=$root/tests/conformance
export PYTHONDONTWRITEBYTECODE=1
$python "$here/authority.py" 5301 $tmp/authority.log &
[ -e "$here/upstream_zoo.py" ] && $python "$here/upstream_zoo.py" 5302 $tmp/zoo.log &
eventually upstream_listens 5301
eventually upstream_listens 5308
echo blocked.example >$tmp/blocked.list
echo 3 >/proc/sys/net/ipv4/tcp_fastopen # of weir's namespace
echo 1024-9999,60000 >/proc/sys/net/ipv4/ip_local_reserved_ports
encrypted=
[[ " $*" == *" --over"* ]] && encrypted=--dot
check "up" "$lab" up $encrypted --upstream 127.0.0.1:5301 --list $tmp/blocked.list
[ -z "$encrypted" ] || echo 'doh: {enabled: true}' >>$config
$python -c 'import sys; sys.path.insert(0, sys.argv[1]); import harness; harness.configure_lab()' "$here"
check "the configuration for the tests" taken_over weirctl config reload
pids=$(cat /run/weir/lab/*.pid)
client $python "$here/run.py" "$@" | tee $tmp/result
conformance=${PIPESTATUS[0]}
same "both processes are the same as before" "$pids" "$(cat /run/weir/lab/*.pid)"
check "every frame has one verdict" verdicts_add_up
same "no packet buffer is missing" 0 "$(weirctl --json stats --interval 0 | jq '[.dataplane.workers[].mbuf_breaches] | add')"
"$lab" down >/dev/null
[ $bad = 0 ] || { finish; exit 1; }
tail -n 1 $tmp/result
exit "$conformance"
