#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# dnstap has both ends of each exchange and both messages as they were on the wire, however it was answered: by a worker, by way
# of the control plane, over TCP. With hidden clients nothing of the wire is in it. Over TCP a receiver gets the same, also one
# that comes back.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
command -v fstrm_capture >/dev/null || { echo "skipped: no fstrm_capture"; exit 77; }

output() { weirctl --json log status | jq -r ".outputs[] | select(.name == \"dnstap\") | .$1"; }
is() { [ "$(output "$1")" = "$2" ]; }
written() { [ "$(output written)" -ge "$1" ]; }
capture() { # FILE [AT...]
	local file=$1
	shift
	[ $# -gt 0 ] || set -- -u $tmp/dnstap.sock
	fstrm_capture -t protobuf:dnstap.Dnstap "$@" -w "$file" >$tmp/capture.log 2>&1 &
	capturer=$!
	eventually is state up
}
is_down() { ! is state up; }
# It has read all that weir has written: nothing waits in a socket, and it sleeps.
capture_idle() {
	[ -z "$({ ss -Hxn && ss -Htn 'sport = :6000'; } | awk '/dnstap.sock|:6000/ && $3 + $2 * ($2 ~ /^[0-9]/) > 0')" ] && grep -q '^State:.S' /proc/$capturer/status
}
capture_end() { # until weir has seen it, or it would write to the old receiver
	eventually capture_idle
	kill $capturer
	wait $capturer
	eventually is_down
}
asks() { # FILE TRANSPORT ADDRESS NAME...
	client $python "$smoke_dir/rig/dnstap_ask.py" "$@"
}
ask_all() { # FILE
	asks "$1" udp $service a.lab.example b.lab.example a.lab.example b.lab.example ads.lab.example &&
		asks "$1" udp $service6 c.lab.example c.lab.example ads.lab.example &&
		asks "$1" tcp $service d.lab.example d.lab.example ads.lab.example a.lab.example &&
		asks "$1" tcp $service6 e.lab.example e.lab.example
}

must "up" "$lab" up --offline
"$lab" stop controlplane >/dev/null
sed -i '/^query_log:/,/^[a-z]/{/^query_log:/d;/^ /d}' $config
printf 'query_log:\n  dnstap: {socket: %s}\n' $tmp/dnstap.sock >>$config
check "up with dnstap" "$lab" start controlplane
check "a receiver" capture $tmp/whole
check "queries of all kinds" ask_all $tmp/asked
asked=$(wc -l <$tmp/asked)
check "are sent" eventually written $asked
capture_end
check "with both ends and both messages" $python "$smoke_dir/rig/dnstap_check.py" whole $tmp/whole $tmp/asked
same "none without them" 0 "$(output without_messages)"
if command -v dnstap-read >/dev/null; then
	same "another program reads them" $asked "$(dnstap-read -p $tmp/whole 2>/dev/null | grep -c ';; QUESTION SECTION')"
fi

sed -i 's/^query_log:/query_log:\n  anonymize: truncate/' $config
check "clients are hidden" taken_over weirctl config reload
check "a receiver" capture $tmp/hidden
check "queries of all kinds" ask_all $tmp/asked_hidden
check "are sent" eventually written $((2 * asked))
capture_end
check "with nothing of the wire" $python "$smoke_dir/rig/dnstap_check.py" hidden $tmp/hidden $tmp/asked_hidden
same "each counted as without messages" $asked "$(output without_messages)"
check "status says so" eval "weirctl log status | grep -q 'without messages'"
check "and metrics" eval "weirctl metrics | grep -q 'weir_log_sink_rows_without_messages_total{sink=\"dnstap\"} $asked'"

sed -i "s|socket: .*|socket: 'tcp:127.0.0.1:6000'}|; /anonymize/d" $config
check "again with dnstap over TCP" eval '"$lab" stop controlplane && "$lab" start controlplane'
check "no receiver" eventually is state failing
for round in 1 2; do
	check "receiver $round" capture $tmp/tcp$round -a 127.0.0.1 -p 6000
	check "queries of all kinds" ask_all $tmp/asked_tcp$round
	check "are sent over TCP" eventually written $((round * asked))
	capture_end
	check "with both ends and both messages" $python "$smoke_dir/rig/dnstap_check.py" whole $tmp/tcp$round $tmp/asked_tcp$round
done
finish
