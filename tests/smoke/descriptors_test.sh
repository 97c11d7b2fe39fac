#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What all tables say they hold and a list of constants are all descriptors of both processes, with each part on that opens any.
export build_targets='dataplane/weir-dataplane controlplane/weir-controlplane tools/ctl/weirctl'
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
for fd in /proc/$$/fd/*; do # both processes would inherit what our caller left open; 255 is bash's
	fd=${fd##*/}
	[ $fd -le 2 ] || [ $fd = 255 ] || exec {fd}>&-
done
mkdir $tmp/hook
sleep 999 | $python "$root/tests/unit/https_server.py" $tmp/hook >$tmp/hook/port &
eventually test -s $tmp/hook/port
hook="https://127.0.0.1:$(cat $tmp/hook/port)"
fstrm_capture -t protobuf:dnstap.Dnstap -u $tmp/dnstap.sock -w $tmp/taken.dnstap >/dev/null 2>&1 &
redis-server --port 6401 --save '' --dir $tmp >/dev/null &
lab_up
"$lab" stop controlplane >/dev/null
sed -i '/^query_log:/,/^[a-z]/{/^query_log:/d;/^ /d}' $config
cat >>$config <<-END
	metrics: {listen: '127.0.0.1:9153', allow: [127.0.0.0/8]}
	redis: {mode: standalone, addresses: ['127.0.0.1:6401']}
	query_log:
	  requests: {enabled: true, directory: $tmp/requests, format: json}
	  dnstap: {socket: $tmp/dnstap.sock}
	  webhooks: [{url: '$hook/generic', on_block: true, ca_file: $tmp/hook/ca.pem}]
END
check "up with outputs" "$lab" start controlplane
check "a blocked name" eventually blocks
# Asked again: of a query before the data plane has found the control plane there is no row.
hooked() { grep -q blocked.test $tmp/hook/requests || { blocks && false; }; }
check "its webhook" eventually hooked
for output in requests dnstap; do
	check "$output is up" eventually eval "weirctl --json log status | jq -e 'any(.outputs[]; .name == \"$output\" and .state == \"up\")'"
done
check "Redis is asked" eventually eval "weirctl --json mem tables | jq -e 'any(.tables[]; .name == \"redis_buffers\" and .descriptors > 0)'"
# ADDRESS PORT COUNT: connections that stay
held_open='import socket, sys, time
s = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(int(sys.argv[3]))]
time.sleep(999)'
$python -c "$held_open" 127.0.0.1 9153 1 &
client $python -c "$held_open" $service 53 3 &
held() { weirctl --json mem tables | jq -e "any(.tables[]; .name == \"$1\" and .$2 >= $3)"; }
check "TCP clients" eventually held tcp_connections descriptors 3
check "a client of metrics.listen" eventually held http_connections descriptors 1
check "the webhook's connection" eventually held http_clients descriptors 1
check "the query store's file" eventually held query_store_files files 3
check "the request log's" eventually held log_requests_queue files 1
check "dnstap's socket" eventually held log_dnstap_queue descriptors 1
check "tables and constants are all there is" $python "$smoke_dir/rig/descriptors.py" /run/weir/lab
finish
