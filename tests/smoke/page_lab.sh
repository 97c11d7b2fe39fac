# SPDX-License-Identifier: BSD-3-Clause
# Sourced after _init.sh. browser_or_skip: ends a test without a browser. page_up CONTROL: a lab whose page user ann (admin, "a long password") may open at $url, with CONTROL added to
# `control`, and what uses the page. page_house: clients, groups, lists, a server that is down, a week of queries, and clients that go on asking.

dir=/run/weir/lab/page
url=https://127.0.0.1:9953/

browser_or_skip() {
	command -v chromium >/dev/null && $python -c 'import websocket' 2>/dev/null && return
	echo "skipped: no chromium, or no python3-websocket"
	exit 77
}
# page_configure CONTROL: before the control plane's start
page_configure() {
	mkdir $dir && . "$smoke_dir/certificates.sh" && { authority ca && certificate server ca IP:127.0.0.1; } 2>/dev/null || return
	cat >>$config <<-END
		control: {${1:+$1, }listen: [127.0.0.1], allow: [127.0.0.0/8], certificates: [{cert: $dir/server.pem, key: $dir/server.key}]}
	END
}

# Steps of page_browser.py, and their run by user $who, ann by default.
# press BUTTON [ROW]: that of a row of a table
press() { echo "(() => { const b = [...document.querySelectorAll('main button')].find((e) => e.textContent === '$1' && (e.closest('tr') ?? e).textContent.includes('${2-}')); if (b) b.click(); return !!b; })()"; }
typed() { echo "(() => { const l = [...document.querySelectorAll('main label')].filter((e) => e.firstChild.textContent === '$1')[${3:-0}]; if (l) l.lastChild.value = '$2'; return !!l; })()"; }
# put LABEL VALUE: in the first control of this label
put() { echo "(() => { const i = [...document.querySelectorAll('main label')].find((e) => e.firstChild.textContent === '$1')?.lastChild; if (i) { i.value = '$2'; i.dispatchEvent(new Event('change')); } return !!i; })()"; }
# send LABEL: the form of this control
send() { echo "(() => { const l = [...document.querySelectorAll('main label')].find((e) => e.firstChild.textContent === '$1'); l?.closest('form').requestSubmit(); return !!l; })()"; }
said() { echo "document.getElementById('said').textContent.includes('$1')"; }
browse() { $python -B "$smoke_dir/rig/page_browser.py" $url "${who:-ann}" 'a long password' "$@" >$tmp/browser 2>&1 || { cat $tmp/browser && false; }; }

# Of a key of the configuration
value() { weirctl --json config get "$1" | jq -re '.values[0].value'; }
is() { [ "$(value "$1")" = "$2" ]; }

page_user() { echo 'a long password' | weirctl password set ann --role admin; }

page_house() {
	local rig="$python -B $smoke_dir/rig/page_lab.py" address
	$rig config $config $dir/lists || return
	$rig week /run/weir/lab/state/log || return
	$rig lists $dir/lists 8099 &
	upstream 5302 $tmp/up2.log
	for address in $($rig addresses); do client ip addr add "$address/24" dev wt0 || return; done
}

# page_traffic SECONDS
page_traffic() { client $python -B "$smoke_dir/rig/page_lab.py" ask $service "$1" & }

# Changes that a person would make; each is a version of the configuration.
page_changes() {
	weirctl allow login.bank.example --why 'blocked by mistake' && weirctl deny casino.example --why 'asked for by Ben' &&
		weirctl allow pixel.shop.example --for 2h --why "Anna's order" && weirctl deny chat.example.com --group kids --for 1d --why 'homework first' &&
		weirctl local add camera.home.arpa A 198.18.0.44 --why 'new camera' && weirctl group move ben-phone office --why 'works here too'
}
