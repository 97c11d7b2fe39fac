#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The page for browsers: off until it is configured, its headers, a login, each view in headless Chromium in three sizes and
# by the rules of axe-core in two of them, dark and light, the keyboard, actions by their effect on answers, names that look
# like markup, no request to elsewhere.
. "$(dirname "$0")/_init.sh"

lab_up
. "$smoke_dir/page_lab.sh"
page_configure ''
cat >>$config <<CONFIG
groups:
- {name: kids, clients: [198.18.0.9], deny: [game.test]}
- {name: rest, clients: [198.18.0.10], schedules: [{name: always, from: '00:00', to: '24:00', pause: true}]}
CONFIG
"$lab" stop controlplane >/dev/null
check "restarted" "$lab" start controlplane
https() { curl -s --cacert $dir/ca.pem -o $tmp/body -D $tmp/head -w '%{http_code}' "$@"; }
check "it listens" eventually eval '[ "$(https ${url}v1/status)" = 401 ]'
same "no page by default" 401 "$(https $url)"
sed -i 's/^control: {/control: {page: true, /' $config
check "control.page is live" taken_over weirctl config reload
same "the page" 200 "$(https $url)"
check "may load nothing from elsewhere" grep -qi "^content-security-policy: default-src 'none'; script-src 'self'" $tmp/head
check "has nothing in line" eval '! grep -qiE "style=|<style|<script>|javascript:|onclick" $tmp/body'
same "a script" 200 "$(https ${url}app.js)"
check "is one" grep -qi '^content-type: text/javascript' $tmp/head
same "no other file" 401 "$(https ${url}../../etc/passwd --path-as-is)"
same "no POST of it" 401 "$(https -d x=1 $url)"
same "the API still asks who it is" 401 "$(https ${url}v1/queries)"

if ! command -v chromium >/dev/null || ! $python -c 'import websocket' 2>/dev/null; then
	[ $bad = 0 ] || finish
	echo "skipped: no chromium, or no python3-websocket"
	exit 77
fi
page_user >/dev/null
client kdig +timeout=1 +retry=0 @$service '<img\032src=x\032onerror=hacked=1>.blocked.test' A >/dev/null
client kdig +timeout=1 +retry=0 @$service ok-3000.cached.test A >/dev/null
# press BUTTON [ROW]: that of a row of a table
press() { echo "(() => { const b = [...document.querySelectorAll('main button')].find((e) => e.textContent === '$1' && (e.closest('tr') ?? e).textContent.includes('${2-}')); if (b) b.click(); return !!b; })()"; }
typed() { echo "(() => { const l = [...document.querySelectorAll('main label')].filter((e) => e.firstChild.textContent === '$1')[${3:-0}]; if (l) l.lastChild.value = '$2'; return !!l; })()"; }
tile() { echo "[...document.querySelectorAll('main .tile')].some((t) => /^$1$/.test(t.textContent))"; }
said() { echo "document.getElementById('said').textContent.includes('$1')"; }
browse() { $python -B "$smoke_dir/rig/page_browser.py" $url ann 'a long password' "$@" >$tmp/browser 2>&1 || { cat $tmp/browser && false; }; }

# axe-core comes by npm (tools/test): without it, the views are checked without its rules.
axe=$("$root/tools/test" axe) || echo "  no axe-core: the rules of accessibility are left out"
check "log in, every view in three sizes, by keyboard" browse login first ${axe:+axe:}${axe:-views} keys hostile
read -r _ size took < <(grep ^first $tmp/browser)
check "the first view is under 150 KB: ${size-} bytes" test "${size:-999999}" -lt 150000
echo "  first view: $took ms"
check "a client's group by the configuration, odd arguments, a failed reply" browse login "do:location.hash = '#/client/198.18.0.9', true" \
	"do:$(tile Groupkids)" \
	"do:location.hash = '#/client/%', true" "do:!!document.querySelector('main [role=alert]')" \
	"do:location.hash = '#/queries/name=a%26client%3Dx%2By.test', true" "do:document.querySelector('main input')?.value === 'a&client=x+y.test' && !!document.querySelector('main table')" \
	"do:(() => { const f = fetch; window.fetch = (u, o) => (u.startsWith('/v1/upstreams') ? Promise.reject(new TypeError()) : f(u, o)); window.mend = () => { window.fetch = f; }; return true; })()" \
	"do:location.hash = '#/now', true" "do:document.querySelector('.problems')?.textContent.includes('does not answer') && !!document.querySelector('.tile')" \
	"do:(mend(), document.dispatchEvent(new Event('visibilitychange')), true)" "do:!document.querySelector('main').textContent.includes('does not answer')"
posted() { echo "do:(import('/api.js').then((m) => m.post('$1', { server: '127.0.0.1:5301' })), true)"; }
drained() { echo "[...document.querySelectorAll('main td')].some((t) => t.textContent.includes('drained'))"; }
check "what happens is seen at Now before the next minute" browse login "do:location.hash = '#/now', true" "do:!!document.querySelector('main td')" \
	"$(posted /upstream/drain)" "do:$(drained)" "$(posted /upstream/undrain)" "do:!$(drained)"
while sleep 0.3; do client kdig +timeout=1 +retry=0 @$service ok-3000.cached.test A; done >/dev/null 2>&1 &
asking=$!
check "follow, explain one name after another, trace, close, search" browse login "do:location.hash = '#/queries', true" "do:$(press Follow)" \
	"do:document.querySelector('main caption').textContent.includes('as they come') && document.querySelectorAll('main tbody button').length > 1" \
	"do:(() => { const b = document.querySelectorAll('main tbody button'); b[0].click(); b[1].click(); return true; })()" "do:document.querySelectorAll('main .about').length === 1" \
	"do:$(press 'Trace for 30 s')" "do:$(press 'Trace for 30 s')" "do:document.querySelector('main pre').textContent.includes('cached.test')" "do:$(press Close)" \
	"do:!document.querySelector('main .about')" "do:$(press Search)" "do:document.querySelector('main caption').textContent === 'The latest queries' && !document.querySelector('[aria-busy]')"
kill $asking
check "block a name" browse login "do:location.hash = '#/lists', true" "do:!!document.querySelector('main form')" \
	"do:$(typed 'Name, and all below it' paged.test)" "do:$(typed Verdict deny)" \
	"do:(() => { const f = [...document.querySelectorAll('main form')].at(-1); f.requestSubmit(); return true; })()" "do:$(said paged.test)"
check "is blocked" eventually blocks paged.test
check "with a history entry of the user" eval 'weirctl --json config history | jq -e "any(.versions[]; .who == \"user ann\" and (.what | startswith(\"deny paged.test\")))"'
check "go back by the history" browse login "do:location.hash = '#/config', true" "do:(window.confirm = () => true, true)" "do:$(press 'Go back to it')" \
	"do:$(said 'in force again')"
check "is blocked no more" eventually eval '! blocks paged.test'
check "pause blocking" browse login "do:location.hash = '#/lists', true" "do:$(press 'Pause 5 min')" "do:$(said 'is paused')"
check "nothing is blocked" eventually eval '! blocks blocked.test'
check "and resume" browse login "do:location.hash = '#/lists', true" "do:$(press 'Block again')" "do:$(said 'goes on')"
check "is blocked again" eventually blocks blocked.test
asked() { up_log | grep -c " ok-3000.cached.test 1\$"; }
short ok-3000.cached.test A >/dev/null
before=$(asked)
check "flush a name, turn a list off, add a record and a client of a group" browse login "do:location.hash = '#/cache', true" "do:$(typed Name ok-3000.cached.test)" \
	"do:$(press Flush)" "do:$(said 'removed.')" "do:location.hash = '#/lists', true" "do:$(press 'Turn off' blocked.list)" "do:$(said 'is off.')" \
	"do:location.hash = '#/local', true" "do:$(typed Value OK-3000.other.test)" "do:$(typed Name ok.www.test)" "do:$(typed Type CNAME)" "do:$(press Add)" \
	"do:$(said 'ok.www.test is added.')" "do:location.hash = '#/groups', true" "do:$(typed Client 198.18.0.2)" "do:$(typed Group kids)" "do:$(press Add)" \
	"do:$(said 'is in kids.')" "do:document.querySelector('[aria-label=\"Group rest\"]').textContent.includes('Paused by a schedule.')"
check "the list blocks no more" eventually resolves ok.blocked.test
check "the record answers" eventually eval 'short ok.www.test A | grep -qix ok-3000.other.test.'
short ok-3000.cached.test A >/dev/null
check "weir asks for the name again" test "$(asked)" -gt "$before"
check "the entry of the group blocks" eventually blocks ok.game.test
while sleep 0.3; do client kdig +tcp +timeout=1 +retry=0 @$service ok-3000.cached.test A; done >/dev/null 2>&1 &
asking=$!
check "hits over TCP are in the rates; and all back" browse login "do:$(tile 'From the cache[1-9].*')" "do:(window.confirm = () => true, true)" "do:location.hash = '#/lists', true" "do:$(press Use blocked.list)" "do:$(said 'is used again.')" \
	"do:location.hash = '#/local', true" "do:$(press Remove ok.www.test)" "do:$(said 'ok.www.test is removed.')" \
	"do:location.hash = '#/groups', true" "do:$(typed Client 198.18.0.2)" "do:$(typed Group kids)" "do:$(press 'Take out')" "do:$(said 'is no longer in kids.')"
kill $asking
check "the list blocks" eventually blocks blocked.test
check "the record is gone" eventually resolves ok.www.test
check "so is the group's entry" eventually resolves ok.game.test
check "the data plane stops" "$lab" stop dataplane
check "its statistics go, as at a start of the machine" rm "$(region 'stats*')"
check "Now says what to do, and there are no figures; log out" browse login "do:document.querySelector('.problems .soft')?.textContent.startsWith('Start the data plane')" \
	"do:location.hash = '#/path', true" "do:$(tile 'Control plane, of a core.*%') && $(tile 'Frames in a second–')" \
	"do:(document.getElementById('leave').click(), true)" "do:!!document.querySelector('input[name=password]')"
finish
