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
clients: [{name: console, macs: ['02:00:5e:10:00:71']}]
groups:
- {name: kids, clients: [198.18.0.9, '02:00:5e:10:00:71'], deny: [game.test]}
- {name: rest, clients: [198.18.0.10], schedules: [{name: always, from: '00:00', to: '24:00', pause: true}]}
- {name: same, clients: [198.18.0.11], schedules: [{name: dusk, from: '20:00', to: '20:01', services: [steam]}]}
- {name: heir, clients: [198.18.0.12]}
- {name: asleep, clients: [198.18.0.13], schedules: [{name: bed, from: '00:00', to: '24:00', block_all: true}]}
entries: [{name: entry.file.test, verdict: deny}]
CONFIG
echo off.test >$tmp/filed.off
sed -i "s#^blocking:\$#blocking:\n  schedules: [{name: dusk, from: '20:00', to: '20:01', services: [steam]}]\n  update: {allow_private: true}\n  disabled_lists: [filed.off]#; s#^  lists:\$#  lists:\n    - {name: filed.off, path: $tmp/filed.off}#; \
	s#^local:\$#local:\n  records: [{name: box.file.test, type: A, value: 192.0.2.1}]#" $config
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
check "that the tabs of a browser share for a minute" grep -qix $'cache-control: private, max-age=60\r' $tmp/head
same "no other file" 401 "$(https ${url}../../etc/passwd --path-as-is)"
same "no POST of it" 401 "$(https -d x=1 $url)"
same "the API still asks who it is" 401 "$(https ${url}v1/queries)"
check "which nobody keeps" grep -qix $'cache-control: no-store\r' $tmp/head

if ! command -v chromium >/dev/null || ! $python -c 'import websocket' 2>/dev/null; then
	[ $bad = 0 ] || finish
	echo "skipped: no chromium, or no python3-websocket"
	exit 77
fi
page_user >/dev/null
echo 'a long password' | weirctl password set rob --role read >/dev/null
echo 'a long password' | weirctl password set oda --role operate >/dev/null
client kdig +timeout=1 +retry=0 @$service '<img\032src=x\032onerror=hacked=1>.blocked.test' A >/dev/null
client kdig +timeout=1 +retry=0 @$service ok-3000.cached.test A >/dev/null
client kdig +timeout=1 +retry=0 @$service spared.blocked.test A >/dev/null
client kdig +timeout=1 +retry=0 @$service rowed.blocked.test A >/dev/null
client kdig +timeout=1 +retry=0 @$service =formula.blocked.test A >/dev/null
client ip addr add 198.18.0.13/24 dev wt0
in_bed() { client kdig +timeout=1 +retry=2 -b 198.18.0.13 @$service ok.bed.test A; }
in_bed >/dev/null
tile() { echo "[...document.querySelectorAll('main .tile')].some((t) => /^$1$/.test(t.textContent))"; }

browse hint && hint=$(sed -n 's/^hint \(sudo \)\?weirctl //p' $tmp/browser)
check "the login names a command that makes a user: ${hint-}" eval 'weirctl ${hint/NAME/hinted} <<<"a long password" >/dev/null'
check "who can log in" test "$(https -d 'user=hinted' -d 'password=a long password' -H 'Origin: '${url%/} ${url}v1/session)" = 200

# axe-core comes by npm (tools/test): without it, the views are checked without its rules.
axe=$("$root/tools/test" axe) || echo "  no axe-core: the rules of accessibility are left out"
weirctl doctor --save >/dev/null # This box shows it
check "log in, every view in three sizes, by keyboard" browse login first ${axe:+axe:}${axe:-views} keys hostile
read -r _ size took < <(grep ^first $tmp/browser)
check "the first view is under 150 KB: ${size-} bytes" test "${size:-999999}" -lt 150000
echo "  first view: $took ms"
check "a client's group by the configuration, odd arguments, a failed reply" browse login "do:location.hash = '#/client/198.18.0.9', true" \
	"do:$(tile Groupkids)" \
	"do:location.hash = '#/groups', true" "do:!!document.querySelector('[aria-label=\"Group kids\"]')?.textContent.includes('198.18.0.9/32, console (02:00:5e:10:00:71)')" \
	"do:location.hash = '#/client/%', true" "do:!!document.querySelector('main [role=alert]')" \
	"do:location.hash = '#/queries/name=a%26client%3Dx%2By.test', true" "do:document.querySelector('main input')?.value === 'a&client=x+y.test' && !!document.querySelector('main table')" \
	"do:(() => { const f = fetch; window.fetch = (u, o) => (u.startsWith('/v1/upstreams') ? Promise.reject(new TypeError()) : f(u, o)); window.mend = () => { window.fetch = f; }; return true; })()" \
	"do:location.hash = '#/now', true" "do:document.querySelector('.problems')?.textContent.includes('does not answer') && !!document.querySelector('.tile')" \
	"do:(mend(), document.dispatchEvent(new Event('visibilitychange')), true)" "do:!document.querySelector('main').textContent.includes('does not answer')"
# refused TIMES PATH SECONDS: replies that say to come again then, before those of weir
refused() { echo "(() => { const f = fetch; let n = 0; window.fetch = (u, o) => (n < $1 && u.startsWith('/v1$2') ? (n++, Promise.resolve(new Response('{\"error\":\"too many\"}', { status: 429, headers: { 'Retry-After': '$3' } }))) : f(u, o)); return true; })()"; }
check "a page that asked too often asks again, and says so when that lasts; not where that is long" browse login "do:location.hash = '#/lists', true" "do:!!document.querySelector('main table')" \
	"do:$(refused 3 /upstreams 1)" "do:location.hash = '#/now', true" "do:$(said 'asks again by itself')" \
	"do:[...document.querySelectorAll('main caption')].some((c) => c.textContent === 'Upstream servers') && !document.querySelector('main').textContent.includes('too many')" \
	"do:location.hash = '#/lists', true" "do:!!document.querySelector('main table')" "do:$(refused 1 /groups 60)" "do:location.hash = '#/groups', true" \
	"do:document.querySelector('main [role=alert]')?.textContent === 'too many'"
check "a page that gets no answer at its begin says so, and begins once there is one" browse login "do:(document.getElementById('leave').click(), true)" "do:!!document.querySelector('input[name=password]')" \
	"do:(() => { const f = fetch; let n = 0; window.fetch = (u, o) => (u === '/v1/user' && n++ < 2 ? Promise.reject(new TypeError()) : f(u, o)); for (const i of document.querySelectorAll('.login input')) i.value = { user: 'ann', password: 'a long password' }[i.name]; document.querySelector('.login form').requestSubmit(); return true; })()" \
	"do:/weir does not answer.*The page asks again by itself./.test(document.querySelector('main [role=alert]')?.textContent)" "do:!!document.querySelector('.tile') && !document.querySelector('main [role=alert]')"
# row TEXT: the buttons of the row with it
row() { echo "[...([...document.querySelectorAll('main tr')].find((r) => r.textContent.includes('$1'))?.querySelectorAll('button') ?? [{ textContent: 'no such row' }])].map((b) => b.textContent).join()"; }
echo mine.test >$tmp/mine.list
check "a list, an entry and a record by verbs" eval 'weirctl list add mine.list $tmp/mine.list && weirctl deny entry.mine.test && weirctl local add box.mine.test A 192.0.2.2'
check "what stands in a file is not removed here" browse login "do:location.hash = '#/lists', true" "do:$(row blocked.list) === 'Turn off' && $(row mine.list) === 'Turn off,Remove' && $(row filed.off) === ''" \
	"do:$(row entry.file.test) === '' && $(row entry.mine.test) === 'Remove'" \
	"do:location.hash = '#/local', true" "do:$(row box.file.test) === '' && $(row box.mine.test) === 'Remove'"
kinds=$(weirctl blocklist status | sed -n 's/^from  *//p')
counted() { echo "[...document.querySelector('main table').tBodies[0].rows].filter((r) => r.cells[1].textContent === '$1' && r.cells[2].textContent !== 'off').length"; }
check "lists of each kind are those of weirctl: $kinds" browse login "do:location.hash = '#/lists', true" "do:document.querySelector('main p')?.textContent.includes('$kinds')" \
	"do:[...document.querySelectorAll('main tr')].some((r) => /^local dataanswer/.test(r.textContent))" \
	"do:\`: \${$(counted block)} block, \${$(counted allow)} allow, \${$(counted answer)} answer\` === '${kinds#* lists}'"
$python - $tmp/lists_may_come <<'SERVER' 2>/dev/null &
import http.server, os, sys, time
class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        end = time.monotonic() + 60
        while not os.path.exists(sys.argv[1]) and time.monotonic() < end:
            time.sleep(0.05)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"slow.test\n")
http.server.ThreadingHTTPServer(("127.0.0.1", 8098), Slow).serve_forever()
SERVER
state_of() { echo "[...document.querySelectorAll('main tr')].find((r) => r.textContent.startsWith('$1'))?.cells[2].textContent"; }
check "several lists at once, the line that is none stays, and their state follows" browse login "do:location.hash = '#/lists', true" "do:!!document.querySelector('main textarea')" \
	"do:$(typed 'New lists: a URL or path a line, with a name before it if you like' 'http://127.0.0.1:8098/a/slow.list\nthe other http://127.0.0.1:8098/other\nnone')" "do:$(press 'Add lists')" \
	"do:$(said 'slow.list, the other are added. none: is neither a URL')" "do:document.querySelector('main textarea').value === 'none' && $(state_of slow.list) === 'loads …'" "touch:$tmp/lists_may_come" \
	"do:$(state_of slow.list) === 'in force' && $(state_of 'the other') === 'in force'"
check "block" eventually blocks ok.slow.test
check "known lists are added by their names, and go" browse login "do:(window.confirm = () => true, location.hash = '#/lists', true)" "do:$(press 'Add adguard')" "do:$(said 'adguard is added.')" \
	"do:!$(press 'Add adguard') && $(row adguard) === 'Turn off,Remove'" "do:$(press Remove adguard)" "do:$(said 'adguard is removed.')" "do:$(press Remove slow.list)" "do:$(said 'slow.list is removed.')" \
	"do:$(press Remove 'the other')" "do:$(said 'the other is removed.')"
who=oda check "one who operates turns lists off, and adds none" browse login "do:location.hash = '#/lists', true" "do:$(row mine.list) === 'Turn off' && !document.querySelector('main textarea') && !$(press 'Add adguard')"
who=rob check "who only looks gets no button at Lists" browse login "do:location.hash = '#/lists', true" "do:$(row mine.list) === '' && !document.querySelector('main :is(button, form):not(thead *, .tools *)')"
check "and of its state" eval 'weirctl status | grep -q "^rules .* names from $kinds"'
days() { echo "import('/chart.js').then((m) => m.tickTexts([$1].map(([d, h]) => new Date(2026, 10, d, h) / 1000)).join().replace(/\\n/g, ' ') === '$2')"; }
check "charts that go over midnight have dates" browse login "do:$(days '[26, 18], [27, 0], [27, 6]' '18:00 26 Nov,00:00 27 Nov,06:00')" \
	"do:$(days '[27, 6], [27, 12]' '06:00,12:00')" "do:$(days '[26, 0], [27, 0], [28, 0]' '26 Nov,27 Nov,28 Nov')"
idle="do:!document.querySelector('main [aria-disabled]')" # no button is busy, which takes no press
about() { echo "document.querySelector('main .about')?.textContent"; }
# found ROWS: a search finds so many, and not all
found() { echo "(() => { const f = fetch; window.fetch = async (u, o) => { if (!u.startsWith('/v1/log/search')) return f(u, o); const r = await (await f(u.replace(/after=x&?/, ''), o)).json(); return Response.json({ ...r, rows: Array($1).fill(r.rows.at(-1)), complete: false, after: 'x' }); }; return true; })()"; }
check "a table that is full says from when on it is" browse login "do:location.hash = '#/queries', true" "do:$(press rowed.blocked.test)" "$idle" "do:$(found 2000)" "do:$(press Search)" \
	"do:/The table has room for 2,000 queries: those from [0-9:., A-Za-z]+ on. For older ones, search for/.test(document.querySelector('main').textContent) && !$(press 'Older queries')"
check "and goes on where it is not" browse login "do:location.hash = '#/queries', true" "do:$(press rowed.blocked.test)" "$idle" "do:$(found 200)" "do:$(press Search)" "do:!!$(press 'Older queries')" \
	"do:document.querySelectorAll('main tbody tr').length === 400 && !document.querySelector('main').textContent.includes('has room for')"
# clock HOURS: the browser's is ahead by so much from here on
clock() { echo "(() => { const D = Date, now = () => D.now() + $1 * 3.6e6; window.Date = class extends D { constructor(...a) { super(...(a.length ? a : [now()])); } static now() { return now(); } }; return true; })()"; }
for hours in 30 -30; do
	check "Since and Today are by weir's clock: the browser's is off by $hours h" browse login "do:location.hash = '#/lists', true" "do:!!document.querySelector('main table')" "do:$(clock $hours)" "do:location.hash = '#/queries', true" \
		"do:!!document.querySelector('main tbody')" "do:$(typed Since 900)" "$idle" "do:$(press Search)" "do:document.querySelector('main tbody').textContent.includes('rowed.blocked.test') && /^[0-9:.]+$/.test(document.querySelector('main td time').textContent)" \
		"do:location.hash = '#/client/198.18.0.2', true" "do:import('/today.js').then((m) => Math.abs(m.midnight() - new Date(new Date().valueOf() - $hours * 3.6e6).setHours(0, 0, 0, 0)) < 1000)"
done
check "the details of a name follow what is done" browse login "do:location.hash = '#/queries', true" "do:$(press spared.blocked.test)" "do:$(about)?.includes('blocked')" \
	"do:$(press Allow)" "do:$(said 'is allowed')" "do:$(about)?.includes('allowed by') && !document.querySelector('main .about [aria-disabled]')"
check "a row's Allow in Queries, by which the panel and the rows follow" browse login "do:location.hash = '#/queries', true" "do:$(press rowed.blocked.test)" "do:$(about)?.includes('blocked')" \
	"do:$(press Allow rowed.blocked.test)" "do:$(said 'rowed.blocked.test is allowed for everyone for good. What decides for 198.18.0.2: allowed by')" \
	"do:$(about)?.includes('allowed by') && $(row rowed.blocked.test) === 'rowed.blocked.test,Block'"
check "is not blocked" eventually eval '! blocks rowed.blocked.test'
check "what a bedtime blocks is said, and allowed for the client's group alone, in bed too" browse login "do:location.hash = '#/queries', true" "do:$(row ok.bed.test) === 'ok.bed.test,Allow,Allow for asleep'" \
	"do:[...document.querySelectorAll('main tr')].some((r) => r.textContent.includes('ok.bed.test') && r.textContent.includes('blocked (schedule of asleep)'))" "do:(() => { const b = document.querySelector('main [aria-label=\"Allow for asleep ok.bed.test\"]'); b?.focus(); b?.click(); return !!b; })()" \
	"do:$(said 'ok.bed.test is allowed for asleep for good. What decides for 198.18.0.13: allowed by')" "do:$(said 'It is open even while a schedule blocks everything: bed (asleep).')" \
	"do:document.activeElement.textContent === 'ok.bed.test'" "do:$(row ok.bed.test) === 'ok.bed.test,Allow,Block for asleep' && document.querySelector('main tbody').textContent.includes('allowed by hand for asleep')"
check "resolves there" eventually eval 'in_bed | grep -q NOERROR'
check "by an entry of the group" eval 'weirctl --json entries | jq -e "[.entries[] | select(.name == \"ok.bed.test\")] | length == 1 and .[0].group == \"asleep\""'
check "block it for the group, and allow it for everyone, of which the bedtime is said" browse login "do:location.hash = '#/queries', true" "do:$(press 'Block for asleep' ok.bed.test)" "do:$(said 'ok.bed.test is blocked for asleep for good.')" \
	"$idle" "do:$(press Allow ok.bed.test)" "do:$(said 'ok.bed.test is allowed for everyone for good.') && $(said 'bed (asleep)')" "do:$(row ok.bed.test) === 'ok.bed.test,Block'"
check "a client's day has the same buttons" browse login "do:location.hash = '#/client/198.18.0.13', true" "do:$(row ok.bed.test).startsWith('Block')"
check "in the details, for everyone or the group" browse login "do:$(typed Name other.bed.test)" "do:$(typed 'Client (optional)' 198.18.0.13)" "do:(document.querySelector('main form').requestSubmit(), true)" \
	"do:$(typed 'For whom' asleep)" "do:$(press Allow)" "do:$(said 'other.bed.test is allowed for asleep for good. It is open even while a schedule blocks everything: bed (asleep).')"
# The place of the message is that of what lies under it.
lets_through() { echo "(() => { const s = document.getElementById('said'), r = s.getBoundingClientRect(); return r.width > 0 && !s.contains(document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2)); })()"; }
silent="do:document.getElementById('said').textContent === ''"
message="do:(import('/dom.js').then((m) => m.say('a message')), true)"
check "a message lets presses through, goes on the next one and with its view, and is away from what has the focus" browse login "do:location.hash = '#/lists', true" wide:390 "$message" "do:$(said 'a message')" "do:$(lets_through)" "do:(document.querySelector('main').click(), true)" "$silent" \
	"$message" "do:$(said 'a message')" "do:location.hash = '#/queries', true" "$silent" wide:1280 "do:(document.querySelector('footer select').focus(), scrollTo(0, 1e6), true)" "$message" \
	"do:$(lets_through) && document.getElementById('said').getBoundingClientRect().bottom < document.querySelector('footer select').getBoundingClientRect().top"
check "Block in Top" browse login "do:location.hash = '#/top', true" "do:$(row rowed.blocked.test) === 'Block'" "do:$(press Block rowed.blocked.test)" "do:$(said 'rowed.blocked.test is blocked')" \
	"do:$(row rowed.blocked.test) === 'Allow'"
check "is blocked again" eventually blocks rowed.blocked.test
names_csv="import('/csv.js').then(async (m) => m.csvOf((await import('/dom.js')).table('', [{ title: 'Name', number: true, of: (r) => r }, { title: 'Actions', of: () => 'x' }], ['=a', '+a', '-a', '@a', 'a\"b', '1,234']).querySelector('table')))"
check "Queries and Top save what is seen as CSV, without formulas" browse login "do:location.hash = '#/queries', true" "do:document.querySelector('main tbody')?.textContent.includes('=formula.blocked.test')" "do:$(press 'Save as CSV')" "saved:\"'=formula.blocked.test\",\"blocked (blocked.list)\",\"A\",\"198.18.0.2\",\"NXDOMAIN\"," \
	"do:location.hash = '#/top', true" "do:document.querySelector('main tbody')?.textContent.includes('=formula.blocked.test')" "do:$(press 'Save as CSV')" "saved:\"'=formula.blocked.test\",\"1\"," \
	"do:$names_csv.then((t) => t === ['Name', \"'=a\", \"'+a\", \"'-a\", \"'@a\", 'a\"\"b', '1234'].map((c) => '\"' + c + '\"\\r\\n').join(''))"
# A table of its own: in_rows gives the names that are seen, heads presses a heading, filters types.
sorting='window.rows = [["b10", 2048, 1e9], ["b9", 500, 1.1e9], ["a", 3e6, 0], ["Z", 0, 1.05e9], ["=c", 7e5, 1.2e9], ...["d", "e", "f", "g", "h"].map((n) => [n, 1, 1])], window.draw = async () => { const d = await import("/dom.js"), { csvButton } = await import("/csv.js"); window.box ??= document.querySelector("main").appendChild(d.h("section"));
	d.fill(box, d.table(`Sorted ${Math.random()} rows`, [d.named("Name", (r) => r[0]), d.figure("Size", (r) => d.bytes(r[1])), { title: "When", of: (r) => d.when(r[2]) }, { title: "Actions", of: () => d.action("Go", () => "") }], rows, "", { key: "sorted" }), csvButton("sorted", box)); return true; }, draw()'
in_rows() { echo "[...box.querySelector('tbody').rows].map((r) => r.cells[0].textContent).join() === '$1'"; }
heads() { echo "(() => { const b = [...box.querySelectorAll('th button')].find((e) => e.textContent === '$1'); b.focus(); b.click(); return true; })()"; }
ordered() { echo "[...box.querySelectorAll('th')].map((t) => t.ariaSort ?? '').join() === '$1'"; }
filters() { echo "(() => { const i = box.querySelector('input'); i.focus(); i.value = '$1'; i.dispatchEvent(new Event('input', { bubbles: true })); i.setSelectionRange(1, 1); return true; })()"; }
check "a table sorts by names, numbers and dates, filters, saves what is seen, and stays so over a redraw" browse login "do:location.hash = '#/cache', true" "do:document.querySelector('main h1')?.textContent === 'Cache'" "do:$sorting" \
	"do:$(in_rows 'b10,b9,a,Z,=c,d,e,f,g,h')" "do:$(heads Name)" "do:$(in_rows '=c,a,b9,b10,d,e,f,g,h,Z') && $(ordered 'ascending,,,')" "do:$(heads Name)" "do:$(ordered 'descending,,,')" \
	"do:$(heads Name)" "do:$(in_rows 'b10,b9,a,Z,=c,d,e,f,g,h') && $(ordered ',,,')" "do:$(heads When)" "do:$(in_rows '=c,b9,Z,b10,d,e,f,g,h,a')" "do:$(heads Size)" "do:$(in_rows 'a,=c,b10,b9,d,e,f,g,h,Z') && $(ordered ',descending,,')" \
	"do:(window.was = box.querySelector('table'), draw())" "do:box.querySelector('table') !== was && document.activeElement.textContent === 'Size' && box.contains(document.activeElement) && $(ordered ',descending,,')" \
	"do:$(filters 'B10 k')" "do:$(in_rows 'b10') && box.textContent.includes('1 of 10 rows')" "do:$(filters b)" "do:$(in_rows 'a,=c,b10,b9,d,e,f,g,h,Z')" "do:$(filters b1)" "do:$(in_rows b10)" "do:draw()" \
	"do:$(in_rows b10) && document.activeElement === box.querySelector('input') && document.activeElement.value === 'b1' && document.activeElement.selectionStart === 1" \
	"do:$(filters 'ki')" "do:$(in_rows '=c,b10')" "do:$(press 'Save as CSV')" 'saved:"Name","Size","When"' "do:import('/csv.js').then((m) => m.csvOf(box.querySelector('table')).split('\\r\\n').map((l) => l.split(',')[0]).join() === '\"Name\",\"\'=c\",\"b10\",')" \
	"do:$(filters none)" "do:$(in_rows 'No row has this text.')" "do:$(filters '')" "do:location.hash = '#/lists', true" "do:!!document.querySelector('main table')"
twins='window.twins = async () => { const d = await import("/dom.js"); window.box ??= document.querySelector("main").appendChild(d.h("section")); d.fill(box, ["kids-1", "kids-2"].map((g) => d.table(`Entries of ${g}`, [d.named("Name", (r) => r)], ["b", "a"]))); return true; }, twins()'
in_twins() { echo "[...box.querySelectorAll('table')].map((t) => [...t.tBodies[0].rows].map((r) => r.textContent).join('')).join() === '$1'"; }
check "two tables whose captions differ in a number are sorted apart" browse login "do:location.hash = '#/cache', true" "do:document.querySelector('main h1')?.textContent === 'Cache'" "do:$twins" "do:$(heads Name)" "do:twins()" "do:$(in_twins ab,ba)"
by_select() { echo "(() => { const l = [...box.querySelectorAll('label')].find((e) => e.firstChild.textContent === 'Sort by'); if (!l?.checkVisibility()) return false; l.lastChild.value = '$1'; l.lastChild.dispatchEvent(new Event('change')); return true; })()"; }
check "by a select in a narrow window" browse login "do:location.hash = '#/cache', true" "do:document.querySelector('main h1')?.textContent === 'Cache'" "do:$sorting" "do:![...box.querySelectorAll('select')].some((s) => s.checkVisibility())" \
	narrow "do:$(by_select Name)" "do:$(in_rows '=c,a,b9,b10,d,e,f,g,h,Z')" "do:$(press 'Other way round')" "do:$(in_rows 'Z,h,g,f,e,d,b10,b9,a,=c')" wide:360
# top_days FROM TO: those of so many days ago
top_days() { echo "(() => { const day = (ago) => new Date(Date.now() - 864e5 * ago).toLocaleDateString('sv'), [from, to] = document.querySelectorAll('main input[type=date]'); if (!to) return false; [from.value, to.value] = [day($1), day($2)]; return true; })()"; }
in_german="Promise.all(['/dom.js', '/words.js', '/csv.js'].map((m) => import(m))).then(([d, w, c]) => [d.number(12345), d.percent(1, 8), w._\`\${w.count(1)} names in force.\`, w._\`\${w.count(2)} names in force.\`,
	c.csvOf(d.table('', [d.named('Actions', (r) => r), d.figure(w._\`Names\`, (r) => d.number(r)), d.named(w._\`Actions\`, (r) => r)], [12345]).querySelector('table'))].join('|'))"
check "in German by the browser's choice, with its numbers and plurals, and in English by the user's, which stays" browse speaks:de-AT login "do:$in_german.then((t) => t === '12.345|12,5 %|1 Name aktiv.|2 Namen aktiv.|\"Actions\",\"Namen\"\r\n\"12345\",\"12345\"\r\n')" \
	"german${axe:+:$axe}" "do:(location.reload(), true)" "do:document.querySelector('main h1')?.textContent === 'Packet path' && document.documentElement.lang === 'en'"
check "the history from one day to another, and where the store begins" browse login "do:location.hash = '#/top/days', true" "do:$(top_days 1 0)" "$idle" "do:$(press Show)" "do:$(row rowed.blocked.test) === 'Allow'" \
	"do:/The query store begins \\d/.test(document.querySelector('main').textContent)" "do:$(top_days 9 2)" "$idle" "do:$(press Show)" "do:document.querySelector('main caption')?.textContent === 'Names of 0 queries'" \
	"do:$(top_days 0 2)" "$idle" "do:$(press Show)" "do:$(said 'must not be after')" "do:$(top_days 60 2)" "$idle" "do:$(press Show)" "do:$(said '31 days at most')"
check "the last month by one press in Top" browse login "do:location.hash = '#/top', true" "do:(() => { const a = [...document.querySelectorAll('main a')].find((e) => e.textContent === 'the last 30 days'); a?.click(); return !!a; })()" \
	"do:document.querySelector('main nav [aria-current]')?.textContent === 'the last 30 days' && $(row rowed.blocked.test) === 'Allow'"
# of_card TEXT: the cells of a row from the top down, by the titles that are seen beside them; `wide` for one that is wider than the window
of_card() { echo "[...([...document.querySelectorAll('main tr')].find((r) => r.textContent.includes('$1'))?.cells ?? [])].map((c) => [c.getBoundingClientRect(), getComputedStyle(c, '::before').content]).sort((a, b) => a[0].top - b[0].top).map(([r, t]) => (r.right > innerWidth ? 'wide' : JSON.parse(t))).join()"; }
menu() { echo "[...document.querySelectorAll('nav a, nav summary')].filter((e) => e.checkVisibility()).map((e) => e.textContent).join()"; }
check "in a narrow window a row is a card, the verdict first" browse login narrow "do:location.hash = '#/queries', true" "do:$(of_card rowed.blocked.test) === 'Verdict,Name,Time,Type,Client,Answer,Took,Actions'" \
	"do:$(press Allow rowed.blocked.test)" "do:$(said 'is allowed')" "do:$(press Block rowed.blocked.test)" "do:$(said 'is blocked')"
check "the menu has the views of every day in sight, others under Inside" browse login "do:$(menu).endsWith(',This box,Inside')" "do:(document.querySelector('nav summary').click(), true)" \
	"do:$(menu).endsWith(',Inside,Memory,Packet path')" "do:location.hash = '#/cache', true" "do:$(menu).endsWith(',Inside')" "do:location.hash = '#/path', true" "do:$(menu).endsWith(',Inside,Memory,Packet path')"
check "Now says the version" browse login "do:document.querySelector('main').textContent.includes('weir $(weirctl --version | cut -d" " -f2)')"
# day FILTER: of the reply about this day
day() { curl -s --unix-socket /run/weir/control/control.sock "http://weir/v1/log/top?limit=100&seconds=$(($(date +%s) - $(date -d 0:00 +%s)))" | jq "$1"; }
# figure TEXT: the number behind it
figure() { sed -n "s/.*$1\([0-9,]*\).*/\1/p" $tmp/browser | tr -d ,; }
between() { [ "$1" -le "$2" ] && [ "$2" -le "$3" ]; }
ours='[.groups.items[] | select(.text == "everyone").queries] | add // 0'
client kdig +timeout=1 +retry=0 @$service ok-3000.cached.test A >/dev/null
check "the query store has queries of everyone" eventually eval '[ "$(day "$ours")" -gt 0 ]'
all=$(day .names.queries) blocked=$(day .blocked.queries) others=$(day "$ours")
check "Now, a group and a client have the totals of today" browse login "do:$(tile 'Queries today[0-9,]*') && $(tile 'Share of these.*')" "print:document.querySelector('main').textContent.replace(/\\s+/g, ' ')" \
	"do:location.hash = '#/groups', true" "do:/Today[0-9,]+ queries/.test(document.querySelector('[aria-label=\"Group everyone\"]')?.textContent)" "print:document.querySelector('[aria-label=\"Group everyone\"]').textContent.replace(/Today/, 'Of everyone ')" \
	"do:location.hash = '#/client/198.18.0.2', true" "do:$(tile 'Today[0-9,]+ queries, [0-9,]+ blocked .*')"
check "those of the query store: $(figure 'Queries today')" between "$all" "$(figure 'Queries today')" "$(day .names.queries)"
check "$(figure 'Blocked today') of them blocked" between "$blocked" "$(figure 'Blocked today')" "$(day .blocked.queries)"
check "$(figure 'Of everyone ') of everyone" between "$others" "$(figure 'Of everyone ')" "$(day "$ours")"
posted() { echo "do:(import('/api.js').then((m) => m.post('$1', { server: '127.0.0.1:5301' })), true)"; }
drained() { echo "[...document.querySelectorAll('main td')].some((t) => t.textContent.includes('drained'))"; }
check "what happens is seen at Now before the next minute" browse login "do:location.hash = '#/now', true" "do:!!document.querySelector('main td')" \
	"$(posted /upstream/drain)" "do:$(drained)" "$(posted /upstream/undrain)" "do:!$(drained)"
while sleep 0.3; do client kdig +timeout=1 +retry=0 @$service ok-3000.cached.test A; done >/dev/null 2>&1 &
asking=$!
check "follow, explain one name after another, trace, close, search" browse login "do:location.hash = '#/queries', true" "do:$(press Follow)" \
	"do:document.querySelector('main caption').textContent.includes('as they come') && document.querySelectorAll('main tbody button.plain').length > 1" \
	"do:(() => { const b = document.querySelectorAll('main tbody button.plain'); b[0].click(); b[1].click(); return true; })()" "do:document.querySelectorAll('main .about').length === 1" \
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
# pressed BUTTON: in the header
pressed() { echo "(() => { const b = [...document.querySelectorAll('header button')].find((e) => e.textContent === '$1' && e.offsetParent); b?.click(); return !!b; })()"; }
header() { echo "document.getElementById('blocking').textContent.includes('$1')"; }
counts_down() { echo "/^0[45]:\\d\\d\$/.test(document.querySelector('header [role=timer]')?.textContent)"; }
for_whom() { echo "(() => { const s = document.querySelector('#pause select'); if (s) s.value = '$1'; return s?.value === '$1'; })()"; }
ask="do:(document.querySelector('main form').requestSubmit(), true)"
check "pause from the header, with a countdown in another view" browse login "do:$(header Blocking.)" "do:$(pressed Pause)" "do:$(pressed 'Pause 5 min')" "do:$(said 'paused for everyone for 5 min')" \
	"do:$(said 'A schedule still blocks everything for asleep.') && $(header 'A schedule still blocks everything for asleep.')" \
	"do:/a schedule still blocks everything for asleep.*with Block again, or wait/.test(document.querySelector('.problems')?.textContent)" \
	"do:location.hash = '#/cache', true" "do:document.querySelector('main h1')?.textContent === 'Cache' && $(header 'Paused for everyone') && $(counts_down)" \
	"do:(window.was = document.querySelector('header [role=timer]').textContent, true)" "do:document.querySelector('header [role=timer]').textContent !== window.was"
check "nothing is blocked" eventually eval '! blocks blocked.test'
check "resume from the header" browse login "do:$(pressed 'Block again')" "do:$(said 'goes on')" "do:$(header Blocking.)" \
	"do:document.querySelector('#pause').hidden && document.activeElement.textContent === 'Pause'"
check "is blocked again" eventually blocks blocked.test
spans() { echo "[...document.querySelectorAll('$1 button')].map((b) => b.textContent).filter((t) => t.startsWith('Pause ')).join()"; }
check "the same spans in the header, Groups and Lists" browse login "do:location.hash = '#/groups', true" "do:$(pressed Pause)" "do:$(spans '#pause') === 'Pause 5 min,Pause 30 min,Pause 2 h'" \
	"do:$(spans '[aria-label=\"Group kids\"]') === $(spans '#pause')" "do:location.hash = '#/lists', true" "do:$(spans main) === $(spans '#pause')"
check "a group's pause, which Groups shows at once" browse login "do:location.hash = '#/groups', true" "do:$(pressed Pause)" "do:$(for_whom kids)" "do:$(pressed 'Pause 30 min')" \
	"do:$(header 'Paused for kids')" "do:document.querySelector('[aria-label=\"Group kids\"]')?.textContent.includes('Paused, ')" "do:$(pressed 'Block again for kids')" "do:$(header Blocking.)"
# later PATH: holds its first reply back until window.go(), whose promise ends after it
later() { echo "(() => { const f = fetch; let held = null; window.fetch = (u, o) => (held || !u.startsWith('/v1$1') ? f(u, o) : (held = f(u, o), held.then((r) => new Promise((pass) => { window.go = () => { pass(r); return new Promise((done) => setTimeout(() => done(true), 500)); }; })))); return true; })()"; }
check "also where a look that began before it ends after it" browse login "do:!!document.querySelector('.tile')" "do:$(later /entries)" "do:location.hash = '#/groups', true" "do:!!window.go" "do:$(pressed Pause)" "do:$(for_whom kids)" \
	"do:$(pressed 'Pause 30 min')" "do:document.querySelector('[aria-label=\"Group kids\"]')?.textContent.includes('Paused, ')" "do:go()" "do:document.querySelector('[aria-label=\"Group kids\"]').textContent.includes('Paused, ')" \
	"do:$(pressed 'Block again for kids')" "do:$(header Blocking.)"
check "the header shows a pause by another page" browse login "do:!!document.querySelector('.tile')" "do:(import('/api.js').then((m) => m.post('/blocklist/pause', { minutes: 5, group: 'kids' })), true)" \
	"do:$(header 'Paused for kids')" "do:$(pressed 'Block again for kids')" "do:$(header Blocking.)"
check "ask about a name and allow it" browse login "do:$(typed Name wanted.blocked.test)" "$ask" "do:$(about)?.includes('blocked.list')" \
	"do:$(press Allow)" "do:$(said 'is allowed')" "do:$(about)?.includes('allowed by') && $(about).includes('allow wanted.blocked.test for everyone')"
check "is not blocked" eventually eval '! blocks wanted.blocked.test'
check "ask for a client, and block" browse login "do:$(typed Name wanted.blocked.test)" "do:$(typed 'Client (optional)' 198.18.0.9)" "$ask" \
	"do:(window.confirm = (asks) => asks.includes('wanted.blocked.test has an entry for'), $(about)?.includes('kids'))" \
	"do:$(press Block)" "do:$(said 'is blocked')" "do:$(about)?.includes('(decides)') && !$(about).includes('allowed by')"
check "is blocked again" eventually blocks wanted.blocked.test
who=rob check "who only looks gets no button that weir refuses" browse login "do:$(header Blocking.)" "do:!$(pressed Pause)" "do:$(typed Name wanted.blocked.test)" "$ask" \
	"do:$(about)?.includes('blocked') && !$(press Allow) && $(press Close)"
who=rob check "nor at Groups and Clients" browse login "do:location.hash = '#/groups', true" "do:document.querySelector('[aria-label=\"Group kids\"]') && !document.querySelector('main button:not(thead *, .tools *)')" \
	"do:location.hash = '#/client', true" "do:document.querySelector('main tbody a') && !$(press Name)"
who=rob check "nor in a row of Queries and Top" browse login "do:location.hash = '#/queries', true" "do:$(row rowed.blocked.test) === 'rowed.blocked.test'" \
	"do:location.hash = '#/top', true" "do:$(row rowed.blocked.test) === ''"
# in_group GROUP BUTTON [ROW], group_typed GROUP LABEL VALUE: a control of a group
in_group() { echo "(() => { const b = [...document.querySelectorAll('[aria-label=\"Group $1\"] button')].find((e) => e.textContent === '$2' && (e.closest('tr') ?? e).textContent.includes('${3-}')); b?.click(); return !!b; })()"; }
group_typed() { echo "(() => { const l = [...document.querySelectorAll('[aria-label=\"Group $1\"] label')].find((e) => e.firstChild.textContent === '$2'); if (l) l.lastChild.value = '$3'; return !!l; })()"; }
of_group() { echo "document.querySelector('[aria-label=\"Group $1\"]')?.textContent.includes('$2')"; }
who=oda check "one who operates blocks and allows a service of a group, and deletes none" browse login "do:location.hash = '#/groups', true" "do:$(group_typed kids Service steam)" \
	"do:$(in_group kids 'Block service')" "do:$(said 'steam is blocked for kids.')" "do:$(in_group kids 'Allow steam')" "do:$(said 'no longer blocked')" "do:!$(in_group kids 'Delete group')"
check "make a group with a service, a bedtime, safe search and an entry" browse login "do:location.hash = '#/groups', true" "do:$(typed 'New group: its name' teens)" "do:$(typed 'Its clients' 198.18.0.2)" \
	"do:$(press 'Make group')" "do:$(said 'teens is made.')" "do:$(group_typed teens Service tiktok)" "do:$(in_group teens 'Block service')" "do:$(said 'tiktok is blocked for teens.')" \
	"do:$(in_group teens 'Safe search on')" "do:$(said 'Safe search is on for teens.')" "do:$(group_typed teens 'Name, and all below it' mine.test)" "do:$(group_typed teens Verdict deny)" "do:$(in_group teens Add)" \
	"do:$(said 'mine.test: done.')" "do:$(of_group teens 'Safe search off') && !$(of_group teens 'as the file says')"
check "the service is blocked" eventually blocks www.tiktok.com
check "so is the entry" eventually blocks ok.mine.test
check "other names are not" eventually resolves ok.www.test
# keyed GROUP LABEL VALUE: as by a keyboard, with the caret behind the first letter
keyed() { echo "(() => { const i = [...document.querySelectorAll('[aria-label=\"Group $1\"] label')].find((e) => e.firstChild.textContent === '$2')?.lastChild; if (!i) return false; i.closest('details').open = true; i.focus(); i.value = '$3'; i.dispatchEvent(new Event('input', { bubbles: true })); i.setSelectionRange?.(1, 1); return true; })()"; }
kept() { echo "[...document.querySelectorAll('[aria-label=\"Group $1\"] label')].find((e) => e.firstChild.textContent === '$2')?.lastChild.value === '$3'"; }
check "what is typed and not sent stays when something else changes, and the caret; what is sent does not" browse login "do:location.hash = '#/groups', true" "do:$(keyed kids Schedule night)" "do:$(keyed kids Verdict deny)" \
	"do:$(keyed kids 'Name, and all below it' half.test)" "do:(window.was = document.activeElement, import('/api.js').then((m) => m.post('/services/block', { service: 'steam', group: 'teens' })), document.dispatchEvent(new Event('pauses')), true)" \
	"do:document.activeElement !== was && $(kept kids Schedule night) && $(kept kids Verdict deny) && $(kept kids 'Name, and all below it' half.test) && $(kept rest Schedule bedtime)" \
	"do:document.activeElement.value === 'half.test' && document.activeElement.selectionStart === 1" "do:$(in_group kids Add)" "do:$(said 'half.test: done.')" "do:$(kept kids 'Name, and all below it' '') && $(kept kids Schedule night)" \
	"do:(window.confirm = () => true, $(in_group kids Remove half.test))" "do:$(said 'half.test is removed.')" "do:$(in_group teens 'Allow steam')" "do:$(said 'steam is no longer blocked')"
check "an entry for a query type with a reply, and a pattern inverted" browse login "do:location.hash = '#/groups', true" "do:$(keyed teens 'Name, and all below it' typed.test)" "do:$(group_typed teens Verdict deny)" \
	"do:$(group_typed teens 'Only for the query types' 'AAAA, HTTPS')" "do:$(group_typed teens 'A blocked name gets' refused)" "do:$(in_group teens Add)" "do:$(said 'typed.test: done.')" "do:$(of_group teens 'AAAA,HTTPS')" \
	"do:$(group_typed teens 'Name, and all below it' '/keep[.]test\$/')" "do:$(group_typed teens Verdict deny)" "do:(() => { const l = [...document.querySelectorAll('[aria-label=\"Group teens\"] label')].find((e) => e.firstChild.textContent.includes('/pattern/')); l.lastChild.checked = true; return true; })()" \
	"do:$(in_group teens Add)" "do:$(said 'done.')" "do:$(of_group teens 'all but /keep[.]test\$/')"
check "are as weirctl has them" eval 'weirctl --json entries | jq -e "any(.entries[]; .name == \"typed.test\" and .type == \"AAAA,HTTPS\" and .reply == \"refused\") and any(.entries[]; .invert)"'
check "one type is refused, another one is not" eventually eval 'client kdig @$service ok.typed.test AAAA | grep -q REFUSED && blocks ok.other.test && resolves ok.keep.test'
check "both go" browse login "do:(window.confirm = () => true, location.hash = '#/groups', true)" "do:$(in_group teens Remove keep)" "do:$(said 'is removed')" "do:$(in_group teens Remove typed.test)" "do:$(said 'typed.test is removed')"
# unfolded GROUP: its week is in sight
unfolded() { echo "(() => { const s = document.querySelector('[aria-label=\"Group $1\"]'); s?.querySelectorAll('details').forEach((d) => { d.open = true; }); return !!s?.querySelector('[role=grid]'); })()"; }
half() { echo "[aria-label=\"Group $1\"] [aria-label=\"$2\"]"; }
focused() { echo "(() => { document.querySelector('$(half "$1" "$2")').focus(); return true; })()"; }
check "paint a week by mouse and keys" browse login "do:location.hash = '#/groups', true" "do:$(unfolded kids)" "drag:$(half kids 'Mon 21:00') to $(half kids 'Thu 23:30')" "do:$(of_group kids 'Mon, Tue, Wed, Thu 21:00 to 24:00')" \
	"do:$(focused kids 'Sun 22:00')" key:Space key:ArrowLeft key:Space key:ArrowRight key:Shift+ArrowRight key:Shift+ArrowRight key:Shift+ArrowRight "do:$(of_group kids 'Sun 21:30 to 24:00')" \
	key:ArrowUp "do:document.activeElement.ariaLabel === 'Sat 23:30'" key:ArrowRight "do:document.activeElement.ariaLabel === 'Sat 23:30'" key:ArrowDown key:ArrowLeft key:ArrowLeft key:ArrowLeft key:ArrowLeft key:ArrowLeft key:Space \
	"do:$(of_group kids 'Mon, Tue, Wed, Thu, Sun 21:00 to 24:00')" "drag:$(half kids 'Sat 00:00') to $(half kids 'Sat 23:30')" "drag:$(half kids 'Mon 00:00') to $(half kids 'Fri 06:30')" \
	"drag:$(half kids 'Mon 00:00') to $(half kids 'Mon 06:30')" "drag:$(half kids 'Mon 00:00') to $(half kids 'Mon 06:30')" "do:$(of_group kids 'Mon, Tue, Wed, Thu, Sun 21:00 to 07:00; Sat 00:00 to 24:00')" \
	"do:$(group_typed kids 'Name of the schedule' sleep)" "do:$(in_group kids 'Set week')" "do:$(said 'sleep is set.')" "do:$(of_group kids 'Nothing is painted.')" "do:$(of_group kids 'sleep~2')"
check "which weirctl has" eval 'weirctl --json groups | jq -e "[.groups[] | select(.name == \"kids\").schedules[] | select(.block_all) | .name + \" \" + .from + \" \" + .to + \" \" + (.days | join(\",\"))] == [\"sleep 21:00 07:00 mon,tue,wed,thu,sun\", \"sleep~2 00:00 24:00 sat\"]"'
check "paint it again by finger in a narrow window, with a service" browse login narrow "do:location.hash = '#/groups', true" "do:$(in_group kids Paint sleep~2)" "do:$(of_group kids 'Mon, Tue, Wed, Thu, Sun 21:00 to 07:00; Sat 00:00 to 24:00')" \
	"do:$(unfolded kids)" wide:360 "finger:$(half kids 'Sat 00:00') to $(half kids 'Sat 23:30')" "do:(() => { const s = [...document.querySelectorAll('[aria-label=\"Group kids\"] select[multiple]')].at(-1); s.value = 'tiktok'; return true; })()" \
	"do:(() => { const w = [...document.querySelectorAll('[aria-label=\"Group kids\"] label')].filter((e) => e.firstChild.textContent === 'What').at(-1).lastChild; w.value = 'services'; w.dispatchEvent(new Event('change')); return true; })()" \
	"do:$(in_group kids 'Set week')" "do:$(said 'sleep is set.')" "do:!$(of_group kids sleep~2) && $(of_group kids 'blocks tiktok')"
check "which weirctl has, and no other" eval 'weirctl --json groups | jq -e "any(.groups[]; .name == \"kids\" and (.schedules | length == 1 and .[0].services == [\"tiktok\"] and (.[0].block_all | not)))"'
check "it goes" browse login "do:(window.confirm = () => true, location.hash = '#/groups', true)" "do:$(in_group kids Remove sleep)" "do:$(said 'sleep is removed.')"
# week_typed GROUP LABEL VALUE: in the form of the week
week_typed() { echo "(() => { const l = [...document.querySelectorAll('[aria-label=\"Group $1\"] .painted')].at(-1)?.closest('form').querySelectorAll('label'), f = [...l ?? []].find((e) => e.firstChild.textContent === '$2'); if (f) f.lastChild.value = '$3'; return !!f; })()"; }
two_parts="drag:$(half kids 'Mon 21:00') to $(half kids 'Thu 23:30')" parts_seen="do:$(of_group kids 'Mon, Tue, Wed, Thu 21:00 to 24:00; Sat 00:00 to 24:00')"
check "paint a week with a time zone" browse login "do:location.hash = '#/groups', true" "do:$(unfolded kids)" "$two_parts" "drag:$(half kids 'Sat 00:00') to $(half kids 'Sat 23:30')" "$parts_seen" \
	"do:$(week_typed kids 'Name of the schedule' nap)" "do:$(week_typed kids 'Time zone' Asia/Kathmandu)" "do:$(in_group kids 'Set week')" "do:$(said 'nap is set.')"
zones() { weirctl --json groups | jq -rc '[.groups[] | select(.name == "kids").schedules[] | .name + " " + .time_zone] | sort'; }
same "in all of it" '["nap Asia/Kathmandu","nap~2 Asia/Kathmandu"]' "$(zones)"
check "one by hand, of another name than it looks" weirctl schedule set nap-2 12:00-13:00 block_all mon --group kids
# after PATH: another one makes a change right after the first reply to it
after() { echo "(() => { const f = fetch; let isDone; window.fetch = async (u, o) => { const r = await f(u, o); if (!isDone && u.startsWith('/v1$1')) { isDone = true; await import('/api.js').then((m) => m.post('/config/set', { path: 'cache.min_ttl', yaml: 1 })); } return r; }; return true; })()"; }
check "what it leaves out goes no further than it was seen" browse login "do:location.hash = '#/groups', true" "do:$(in_group kids Paint nap~2)" "$parts_seen" "do:$(week_typed kids 'Time zone' '')" "do:$(after /config/override)" \
	"do:$(in_group kids 'Set week')" "do:$(said '(cache.min_ttl set): look again')"
check "and without a time zone" browse login "do:location.hash = '#/groups', true" "do:$(in_group kids Paint nap~2)" "$parts_seen" "do:$(week_typed kids 'Time zone' '')" "do:$(in_group kids 'Set week')" "do:$(said 'nap is set.')"
same "in none of it; the one by hand stays" '["nap ","nap-2 ","nap~2 "]' "$(zones)"
check "which is painted alone" browse login "do:location.hash = '#/groups', true" "do:$(in_group kids Paint nap-2)" "do:$(of_group kids 'Mon 12:00 to 13:00') && !$(of_group kids '24:00; Sat')"
check "all three go" eval 'for name in nap "nap~2" nap-2; do weirctl schedule remove $name --group kids || exit; done >/dev/null'
own_time() { echo "import('/api.js').then((m) => m.post('/config/override', { yaml: JSON.stringify({ groups: [{ name: 'kids', $1 }] }) })).then(() => true)"; }
at_noon="from: '12:00', to: '13:00', services: ['steam']"
for time in "family_time: { $at_noon }" "schedules: [{ name: 'family time', $at_noon }]" "schedules: [{ name: 'a.b] & c', $at_noon }]"; do
	name=$(sed "s/^family_time.*/family time/; s/.*name: '\([^']*\)'.*/\1/" <<<"$time")
	check "a schedule of any name, and of that of family_time, goes: $time" browse login "do:$(own_time "$time")" "do:(window.confirm = () => true, location.hash = '#/groups', true)" \
		"do:$(in_group kids Remove "$name")" "do:$(said "$name is removed.")"
	same "it is gone" 0 "$(weirctl --json groups | jq '[.groups[] | select(.name == "kids" and .own_schedules).schedules[]] | length')"
done
check "a group of the file has a Remove of its own schedule, though everyone has the same, and no button for those of everyone" browse login "do:location.hash = '#/groups', true" \
	"do:$(of_group same dusk) && $(of_group heir dusk) && !$(in_group heir Remove dusk)" "do:(window.confirm = () => true, $(in_group same Remove dusk))" "do:$(said 'dusk is removed.')" \
	"do:$(in_group same 'schedules as the file says')" "do:$(said 'counts again')"
check "a bedtime" browse login "do:location.hash = '#/groups', true" "do:$(group_typed teens From 00:00)" "do:$(group_typed teens To 23:59)" \
	"do:$(group_typed teens 'Time zone' Asia/Kathmandu)" "do:$(in_group teens 'Set schedule')" "do:$(said 'bedtime is set.')" "do:$(of_group teens 'daily 00:00 to 23:59, Asia/Kathmandu')"
check "blocks all" eventually blocks ok.www.test
name_row="do:(window.prompt = () => 'tablet', window.confirm = () => true, location.hash = '#/client', true)"
check "name a device" browse login "$name_row" "do:$(press Name 198.18.0.2)" "do:$(said 'is tablet.')" "do:[...document.querySelectorAll('main td a')].some((a) => a.textContent === 'tablet')"
check "its name is in the configuration" eval 'weirctl --json config overrides | jq -e "any(.overrides[]; .path | startswith(\"clients[tablet].\"))"'
check "take the name back" browse login "$name_row" "do:$(press 'Forget name' tablet)" "do:$(said 'tablet is forgotten.')"
check "remove the bedtime and the entry, delete the group" browse login "do:(window.confirm = () => true, location.hash = '#/groups', true)" "do:$(in_group teens Remove bedtime)" "do:$(said 'bedtime is removed.')" \
	"do:$(in_group teens Remove mine.test)" "do:$(said 'mine.test is removed.')" "do:$(in_group teens 'Delete group')" "do:$(said 'teens is deleted.')" "do:!document.querySelector('[aria-label=\"Group teens\"]')"
check "which is gone" eventually resolves www.tiktok.com
check "a schedule of the file goes, and comes back" browse login "do:(window.confirm = () => true, location.hash = '#/groups', true)" "do:$(in_group rest Remove always)" "do:$(said 'always is removed.')" \
	"do:$(in_group rest 'schedules as the file says')" "do:$(said 'counts again')" "do:$(of_group rest 'Paused by a schedule.') && !$(of_group rest 'as the file says')"
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
