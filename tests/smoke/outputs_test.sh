#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Where the query log's rows go by option, with the real binaries and receivers of others: lines of a file, webhooks over TLS,
# dnstap to fstrm_capture as dnstap-read shows it, and a receiver that goes away and comes back. No name that a client can ask
# does anything to a terminal.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
taken=$tmp/taken.dnstap

output() { weirctl --json log status | jq -r ".outputs[] | select(.name == \"$1\") | .$2"; }
is() { [ "$(output "$1" "$2")" = "$3" ]; }
ask() { client kdig +timeout=3 +retry=2 @$service "$@" | grep -E 'status: (NOERROR|NXDOMAIN)'; }
capture() { # FILE
	fstrm_capture -t protobuf:dnstap.Dnstap -u $tmp/dnstap.sock -w "$1" >$tmp/capture.log 2>&1 &
	capturer=$!
}
# All that was sent has been read: nothing waits in the socket, and the capture has nothing to do.
captured() {
	grep -q '^State:.S' /proc/$capturer/status &&
		ss -Hx | awk -v path=$tmp/dnstap.sock '$2 == "ESTAB" && index($0, path) { n++; waits += $3 } END { exit !n || waits }'
}

mkdir $tmp/hook
coproc HOOK { exec $python "$root/tests/unit/https_server.py" $tmp/hook; }
read -r hook_port <&${HOOK[0]}
hook="https://127.0.0.1:$hook_port"
hooked() { grep -E "$1" $tmp/hook/requests; } # PATTERN of a line: METHOD PATH PORT BODY

must "up" "$lab" up --offline
"$lab" stop controlplane >/dev/null
sed -i '/^query_log:/,/^[a-z]/{/^query_log:/d;/^ /d}' $config
cat >>$config <<-END
	query_log:
	  requests: {enabled: true, directory: $tmp/requests, format: json}
	  dnstap: {socket: $tmp/dnstap.sock}
	  webhooks:
	  - {url: '$hook/generic?secret', on_block: true, on_error: true, ca_file: $tmp/hook/ca.pem}
	  - {url: '$hook/discord', form: discord, on_block: true, ca_file: $tmp/hook/ca.pem}
	  - {url: '$hook/untrusted', on_block: true, ca_file: $tmp/hook/other.pem}
END
check "up with outputs" "$lab" start controlplane
check "dnstap fails without a receiver" eventually is dnstap state failing
check "the request log is up" eventually is requests state up

check "a query" ask first.lab.example
row() { cat $tmp/requests/requests-*.jsonl | any_line ".qname == \"$1\" and ($2)"; }
check "is a line" eventually row first.lab.example '.verdict == "resolved" and .transport == "udp"'
check "a blocked one over TCP" ask +tcp ads.lab.example
check "is another" eventually row ads.lab.example '.blocked and .transport == "tcp" and .list != ""'
check "a webhook reports it" eventually hooked '^POST /generic.*"kind": *"block".*ads.lab.example'
check "so is one of Discord's form" eventually hooked '^POST /discord.*"content": *".*1 blocked.*`ads.lab.example`'
check "who is not trusted is counted" eventually eval '[ "$(output webhooks untrusted)" -ge 1 ]'
check "and an error with its id" eventually eval 'weirctl --json errors | grep -q "certificate of 127.0.0.1.* not trusted"'
check "status for people" eval 'weirctl log status | grep -Eq "requests +up"'

weirctl log tail >$tmp/tail &
tail=$!
check "a watch is running" eventually eval '[ "$(weirctl --json log status | jq .tail.readers)" = 1 ]'
client $python "$smoke_dir/rig/odd_names.py" $service evil.ads.lab.example
check "five odd names are in the request log" eventually eval \
	'[ "$(grep -hc "evil.ads.lab.example" $tmp/requests/requests-*.jsonl)" = 5 ]'
check "a webhook reports them" eventually hooked '^POST /generic.*evil.ads.lab.example'
check "and of what fails" eventually eval 'ask fails.test; hooked "^POST /generic.*\"kind\": *\"error\".*fails.test"'
check "who watches saw them" eventually grep -q 'red.*evil.ads.lab.example' $tmp/tail
pkill -P $tail
tables() { weirctl top >$tmp/top && weirctl log search --name lab.example >$tmp/search && grep -q 'half.evil' $tmp/top $tmp/search; }
check "the tables have them" eventually tables
same "nothing that is shown has a byte that a terminal obeys" 0 "$(LC_ALL=C cat $tmp/tail $tmp/top $tmp/search \
	$tmp/requests/*.jsonl | LC_ALL=C grep -c '[^ -~]')"
same "the path of a webhook is in no log" "" "$(grep -l secret /run/weir/lab/*.log)"
same "who is not trusted got nothing" "" "$(hooked ' /untrusted')"

# Rows from before the connection may be among those that are written: this one is, once it has left the log and none waits.
written() { # written NAME
	check "a row of it" eventually row "$1" true
	check "is sent" eventually sent
}
sent() {
	weirctl --json log status | jq -e '.rows as $all | (.outputs[] | select(.name == "dnstap") | .written + .lost) as $ended |
		any(.sinks[]; .name == "dnstap" and .rows == $ended and .rows + .folded_rows + .owed_rows + .dropped_rows == $all)'
}

if command -v fstrm_capture >/dev/null && command -v dnstap-read >/dev/null; then
	capture $taken
	check "dnstap connects" eventually is dnstap state up
	check "a query" ask second.lab.example
	check "and a blocked one" ask ads.lab.example
	written second.lab.example
	check "and read" eventually captured
	kill $capturer
	wait $capturer
	dnstap-read -y $taken >$tmp/shown 2>&1
	check "read by another program: names" grep -q 'second.lab.example' $tmp/shown
	check "as replies to clients" grep -q 'type: CLIENT_RESPONSE' $tmp/shown
	check "from where they came" grep -q 'query_address: "*198.18.0.2' $tmp/shown
	check "with the box" grep -q "identity: \"*$(weirctl --json log search --limit 1 | jq -r '.rows[0].box')" $tmp/shown
	check "its end is seen" eventually is dnstap state failing
	capture $tmp/again.dnstap
	check "and it is found again" eventually is dnstap state up
	check "a query" ask third.lab.example
	written third.lab.example
	"$lab" stop controlplane >/dev/null # says STOP and waits for FINISH
	kill $capturer
	wait $capturer
	check "and is there" eval "dnstap-read -y $tmp/again.dnstap | grep -q third.lab.example"
else
	echo "# no fstrm_capture or no dnstap-read: that part is left out"
fi
sed -i 's/format: json/format: text/' $config
check "the request log as text" eval '"$lab" stop controlplane; "$lab" start controlplane'
check "which the data plane has found" wait_for generations
check "a query" ask fourth.lab.example
of_words() { cat $tmp/requests/requests-*.log | grep -qE '^20[0-9-]+T[0-9:.]+Z 198.18.0.2 [0-9]+ udp fourth.lab.example A 1 [a-z_]+ '; }
check "is a line of words" eventually of_words # the file may not be there yet
finish
