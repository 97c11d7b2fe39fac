#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fetched lists with the real binaries: by name through the bootstrap server, changed, failing, redirected to where they
# must not go; a start before there is a network; the way back, held through a restart; a pause.
. "$(dirname "$0")/_init.sh"

# Addresses of this namespace's loopback alone: nothing leaves it.
ip addr add 198.18.200.1/32 dev lo
ip addr add 1.2.3.4/32 dev lo
web=$tmp/web
mkdir $web
lab_up
cp $config $tmp/plain.yaml
serve() {
	$python "$smoke_dir/rig/sources_http.py" $web $tmp/web.log $tmp/web.pem \
		198.18.200.1:8080 198.18.200.1:8443 1.2.3.4:8080 &
	server=$!
	eventually eval "(: </dev/tcp/198.18.200.1/8080)"
}
unserve() { kill $server; wait $server 2>/dev/null; true; }
lists() { # lists ALLOW_PRIVATE URL...: the lab's configuration with these lists besides, in force
	local private=$1 i=0
	shift
	{
		sed '/^local:/,$d' $tmp/plain.yaml
		for url; do i=$((i + 1)); printf '    - {name: web%s, url: "%s"}\n' $i "$url"; done
		printf '  update: {allow_private: %s, timeout: 3, start: %s}\n' $private "${start:-fast}"
		sed -n '/^local:/,$p' $tmp/plain.yaml
	} >$config
}
blocked() { [ "$(rcode @$service "$1" A)" = NXDOMAIN ]; }
passes() { [ "$(rcode @$service "$1" A)" = NOERROR ]; }
status() { weirctl --json blocklist status | jq -r "$1"; }
of_list() { status ".lists[] | select(.name == \"web1\") | $1"; }
fetch_failed() { of_list .fetch_error | grep -q "$1"; }

check "a key and its certificate" openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ok.lists.test \
	-addext subjectAltName=DNS:ok.lists.test -keyout $tmp/key.pem -out $tmp/cert.pem
cat $tmp/key.pem $tmp/cert.pem >$tmp/web.pem
echo ads.web.test >$web/list
check "a web server" serve
url=http://user:pass-word@ok.lists.test:8080/list
lists true "$url"
check "configuration check takes it" weirctl config check $config
check "a list by URL" weirctl config reload
check "is fetched and blocks" eventually blocked ok.ads.web.test
check "its host was asked of the upstream" grep -qi "ok.lists.test 1$" $tmp/up.log
same "its status" "200 1 0 " "$(of_list '"\(.http_status) \(.names) \(.failures) \(.fetch_error)"')"
check "no password in it, nor in the log" bash -c "! grep -r pass-word /run/weir/lab/*.log && ! '$WEIR_BUILD/tools/ctl/weirctl' \
	-c $config --json blocklist status | grep pass-word"
check "unchanged: reload" taken_over weirctl blocklist reload
same "is 304" 304 "$(tail -1 $tmp/web.log | cut -d' ' -f2)"
same "and builds nothing" unchanged "$(status .outcome)"
echo more.web.test >>$web/list
check "changed: reload" taken_over weirctl blocklist reload
check "blocks what is new" blocked ok.more.web.test

echo '<html>log in</html>' >$web/list
weirctl blocklist reload >$tmp/page.out
same "a page in its place: reload fails" 1 $?
row='list "web1" not fetched (no line is a rule (is it an HTML page?)); still 2 names from 20'
check "and says what is not updated" grep -qF "NOT updated: $row" $tmp/page.out
check "and what of the rest" grep -q "^all else unchanged: " $tmp/page.out
check "status has a row" grep -qF "NOT updated: $row" <(weirctl status)
check "so have the errors" grep -qF "$row" <(weirctl --json errors | jq -r '.errors[].text')
check "ready has a line" grep -q "but: 1 list is not updated" <(weirctl ready)
check "the metric" grep -q '^weir_list_failing{list="web1"} 1' <(weirctl metrics)
same "says so" "no line is a rule (is it an HTML page?)" "$(of_list .fetch_error)"
check "what was there stays" blocked ok.more.web.test
mv $web/list $web/away
weirctl blocklist reload >$tmp/gone.out
same "404: reload fails" 1 $?
check "and says so" grep -qF 'NOT updated: list "web1" not fetched (HTTP status 404); still 2 names' $tmp/gone.out
mv $web/away $web/list
unserve

check "no network: the control plane stops" "$lab" stop controlplane
ip addr del 198.18.200.1/32 dev lo
touch $tmp/up.log.down
check "and starts" "$lab" start controlplane
check "the last good image blocks" blocked ok.more.web.test
rm $tmp/up.log.down
ip addr add 198.18.200.1/32 dev lo

echo good.web.test >$web/list
check "the server is back" serve
check "reload" taken_over weirctl blocklist reload
check "new list" blocked ok.good.web.test
check "is all there is" passes ok.more.web.test
check "rollback" taken_over weirctl blocklist rollback
check "to the one before" blocked ok.more.web.test
same "held" true "$(status .held)"
echo newest.web.test >$web/list
check "a restart" "$lab" stop controlplane
check "keeps it" "$lab" start controlplane
check "blocked as before" eventually blocked ok.more.web.test
check "and nothing new" passes ok.newest.web.test
same "held" true "$(status .held)"
check "a reload by hand ends it" taken_over weirctl blocklist reload
check "the newest list" blocked ok.newest.web.test
same "not held" false "$(status .held)"

check "pause" weirctl blocklist pause 5
check "nothing is blocked" eventually passes ok.newest.web.test
check "also after a restart" "$lab" stop controlplane
check "of the control plane" "$lab" start controlplane
check "still paused" eventually passes ok.newest.web.test
check "resume" weirctl blocklist resume
check "blocked again" eventually blocked ok.newest.web.test

echo other.web.test >$web/other
lists true http://ok.lists.test:8080/other
check "another URL for the same list" taken_over weirctl config reload
check "is the list then" eventually blocked ok.other.web.test
check "and nothing of the old one" eventually passes ok.newest.web.test

echo tls.web.test >$web/tls
lists true https://ok.lists.test:8443/tls
check "https with a certificate that nobody signed" weirctl config reload
check "is refused" eventually fetch_failed certificate
check "nothing changed" passes ok.tls.web.test
check "among the system's authorities (of this namespace alone)" \
	mount --bind $tmp/cert.pem /etc/ssl/certs/ca-certificates.crt
check "it is taken" taken_over weirctl blocklist reload
check "and blocks" blocked ok.tls.web.test
lists true https://ok.lists.test:8443/plain
check "no way from https to http" weirctl config reload
check "by a redirect" eventually fetch_failed "a redirect to http from https"
lists true https://ok-60.lists.test:8443/tls
check "nor by another name than the certificate's" weirctl config reload
check "which is reported" eventually fetch_failed "certificate\|SSL"

lists false http://1.2.3.4:8080/away
check "private addresses are refused: a redirect from a public one" weirctl config reload
check "is reported" eventually fetch_failed "198.18.200.1 is not a public address"
same "and was not followed" "1.2.3.4 302 /away" "$(tail -1 $tmp/web.log)"
lists false http://ok.lists.test:8080/list
before=$(wc -l <$tmp/web.log)
check "and a name with such an address" weirctl config reload
check "what that list blocked stays blocked" blocked ok.tls.web.test
check "is reported too" eventually fetch_failed "not a public address"
same "nobody was asked" "$before" "$(wc -l <$tmp/web.log)"

start=fail lists true http://ok.lists.test:8080/none
"$lab" stop controlplane >/dev/null
audit_check
rm -rf /run/weir/lab/state
mv /run/weir/lab/controlplane.log $tmp/before.log
check "without a last good image and with a list that fails: no start" \
	bash -c "! timeout $((120 * patience)) $controlplane -c $config >$tmp/cp.log 2>&1"
check "and the list is named" grep -q "not starting: .*web1: HTTP status 404" $tmp/cp.log
start=blocking lists true http://ok.lists.test:8080/list
check "a start that waits for the lists" "$lab" start controlplane
check "blocks what they name" eventually blocked ok.newest.web.test
unserve
finish
