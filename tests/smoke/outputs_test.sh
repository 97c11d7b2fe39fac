#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Where the query log's rows go by option, with the real binaries and receivers of others: lines of a file, dnstap to
# fstrm_capture as dnstap-read shows it, and a receiver that goes away and comes back.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
config=/run/weir/lab/weir.yaml
taken=$tmp/taken.dnstap

output() { weirctl --json log status | jq -r ".outputs[] | select(.name == \"$1\") | .$2"; }
is() { [ "$(output "$1" "$2")" = "$3" ]; }
ask() { client kdig +timeout=3 +retry=2 @$service "$@" >/dev/null; }
capture() { # FILE
	fstrm_capture -t protobuf:dnstap.Dnstap -u $tmp/dnstap.sock -w "$1" >$tmp/capture.log 2>&1 &
	capturer=$!
}

check "up" "$lab" up --offline
"$lab" stop controlplane >/dev/null
sed -i '/^query_log:/,/^[a-z]/{/^query_log:/d;/^ /d}' $config
cat >>$config <<-END
	query_log:
	  requests: {enabled: true, directory: $tmp/requests, format: json}
	  dnstap: {socket: $tmp/dnstap.sock}
END
check "up with outputs" "$lab" start controlplane
check "dnstap fails without a receiver" eventually is dnstap state failing
check "the request log is up" eventually is requests state up

check "a query" ask first.lab.example
row() { cat $tmp/requests/requests-*.jsonl | jq -e "select(.qname == \"$1\") | $2" >/dev/null; }
check "is a line" eventually row first.lab.example '.verdict == "resolved" and .transport == "udp"'
check "a blocked one over TCP" ask +tcp ads.lab.example
check "is another" eventually row ads.lab.example '.blocked and .transport == "tcp" and .list != ""'
check "status for people" eval 'weirctl log status | grep -Eq "requests +up"'

if command -v fstrm_capture >/dev/null && command -v dnstap-read >/dev/null; then
	capture $taken
	check "dnstap connects" eventually is dnstap state up
	check "a query" ask second.lab.example
	check "and a blocked one" ask ads.lab.example
	check "are sent" eventually eval '[ "$(output dnstap written)" -ge 2 ]'
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
	check "is sent" eventually eval '[ "$(output dnstap written)" -ge 3 ]'
	"$lab" stop controlplane >/dev/null # says STOP and waits for FINISH
	kill $capturer
	wait $capturer
	check "and is there" eval "dnstap-read -y $tmp/again.dnstap | grep -q third.lab.example"
else
	echo "# no fstrm_capture or no dnstap-read: that part is left out"
fi
"$lab" down >/dev/null
finish
