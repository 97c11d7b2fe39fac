#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The page in headless Chromium where a reply fails, says that there is more, or is of another time than the browser's: it says so.
. "$(dirname "$0")/_init.sh"

. "$smoke_dir/page_lab.sh"
browser_or_skip
lab_up
page_configure 'page: true'
"$lab" stop controlplane >/dev/null
check "restarted" "$lab" start controlplane
page_user >/dev/null
echo 'a long password' | weirctl password set rob --role read >/dev/null
client kdig +timeout=1 +retry=0 @$service ok-3000.cached.test A >/dev/null

view() { echo "do:(window.confirm = (q) => (window.asked = q, false), location.hash = '#/$1', true)"; }
main_has() { echo "document.querySelector('main')?.textContent.includes('$1')"; }
# changes PATH JS: what the function does to each reply of this path is what the page gets. `mend` ends it.
changes() { echo "do:(() => { window.was ??= window.fetch; const f = window.fetch; window.mend = () => { window.fetch = was; return true; }; window.fetch = async (u, o) => { const r = await f(u, o); if (u.split('?')[0] !== '/v1$1') return r; const j = await r.json(); ($2)(j, u); return new Response(JSON.stringify(j), { status: j.error ? 400 : r.status }); }; return true; })()"; }
fails="do:(window.was = window.fetch, window.mend = () => { window.fetch = was; return true; }, window.fetch = (u, o) => (u === '/v1/session/end' ? Promise.reject(new TypeError()) : was(u, o)), true)"
leave="do:(document.getElementById('leave').click(), true)"
# logs_in NAME: as another tab of this browser
logs_in() { echo "do:fetch('/v1/session', { method: 'POST', body: new URLSearchParams({ user: '$1', password: 'a long password' }) }).then((r) => r.ok)"; }

check "a log-out that fails says so, and the page stays; the next one logs out" browse login "$(view lists)" "do:$(main_has 'names in force')" "$fails" "$leave" \
	"do:$(said 'You may still be logged in: weir does not answer.') && $(main_has 'names in force')" "do:mend()" "do:$(press 'Fetch all now')" "do:$(said 'up to date')" "$leave" "do:!!document.querySelector('input[name=password]')"
check "a change after a login in another tab is made; after one of another user the page says so" browse login "$(view lists)" "do:$(main_has 'names in force')" "$(logs_in ann)" "do:$(press 'Fetch all now')" "do:$(said 'up to date')" \
	"$(logs_in rob)" "do:$(press 'Fetch all now')" "do:$(said 'This browser is now logged in as rob (read). Load the page again.')"

fast="do:(() => { const now = Date.now; Date.now = () => now() + 1000 * (window.ahead ?? 7200); return true; })()"
check "a pause" weirctl pause 30m
check "is one for a browser whose clock is ahead; its end is seen without a press" browse login "$fast" "$(view lists)" "do:$(main_has 'Blocking is paused until')" "$(view groups)" "do:$(main_has 'Blocking is paused for everyone')" \
	"do:import('/api.js').then((m) => m.post('/blocklist/resume')).then(() => true)" "do:(window.ahead = 10000, true)" "do:!$(main_has 'Blocking is paused for everyone') && $(main_has 'Blocking.')"
check "what failed of a pause is said" browse login "$(view lists)" "$(changes /blocklist/pause "(j) => { j.note = 'a restart will not know of it: no room'; }")" "do:$(press 'Pause 5 min')" \
	"do:$(said 'But a restart will not know of it: no room.')" "do:$(press 'Block again')" "do:$(said 'Blocking goes on.')"

sampled="$(changes /log/search "(j) => { for (const r of j.rows) r.weight = 8; }")"
cut="$(changes /log/search "(j) => { j.rows = []; j.complete = false; j.after = 'x'; }")"
head_of() { echo "[...document.querySelectorAll('main th')].some((t) => t.textContent === '$1')"; }
check "a search that ended early finds none so far; a sampled row says for how many it stands" browse login "$cut" "$(view queries)" "do:$(main_has 'No such query so far')" "$(view client/198.18.0.2)" "do:$(main_has 'No query of this client so far')" \
	"do:mend()" "$(view queries)" "do:$(main_has cached.test) && !$(head_of 'Stands for')" "$(view now)" "$sampled" "$(view queries)" "do:$(head_of 'Stands for')"
tile() { echo "[...document.querySelectorAll('main .tile')].some((t) => /^$1$/.test(t.textContent))"; }
check "a day that was not read to its end is none since midnight, and a table without all clients says so" browse login "$(changes /log/top "(j) => { j.complete = false; j.covered_s = 1; }")" "$(view client/198.18.0.2)" "do:$(tile 'Today–')" \
	"$(changes /clients "(j) => { j.client_count = 250; }")" "$(view client)" "do:$(main_has 'clients that asked most.')"
check "a log that samples does not say that a device asks another server" browse login "$(changes /log "(j) => { j.enabled = true; j.sample = 10; }")" "do:(AbortSignal.timeout = () => AbortSignal.abort(), true)" "$(view devices)" \
	"do:$(press 'Wait for the device')" "do:$(main_has 'only one in 10 queries')"

top_level=("do:$(typed Name test)" "do:(document.querySelector('main form').requestSubmit(), true)" "do:document.querySelector('main .about h2')?.textContent === 'test'")
check "the details of a top level ask before its names are all blocked" browse login "$(view now)" "${top_level[@]}" "do:$(press Block)" "do:window.asked === 'Block test and all names below it for everyone?'"
same "which they are not" 0 "$(weirctl --json entries | jq '.entries | length')"
autumn="do:(() => { const [from, to] = document.querySelectorAll('main input[type=date]'); if (!to) return false; [from.value, to.value] = ['2024-10-05', '2024-11-04']; return true; })()"
TZ=Europe/Berlin check "31 days over the end of summer time, and no 32" browse login "$(view top/days)" "do:/^Names of [1-9]/.test(document.querySelector('main caption')?.textContent)" "$autumn" "do:!document.querySelector('main [aria-disabled]') && $(press Show)" "do:document.querySelector('main caption')?.textContent === 'Names of 0 queries'" \
	"do:(document.querySelector('main input[type=date]').value = '2024-10-04', $(press Show))" "do:$(said '31 days at most')"

lists="$(changes /blocklist "(j) => { j.lists = [['late', 900, 1000], ['early', 100, 2000], ['new', 0, 3000]].map(([name, last, next]) => ({ name, kind: 'block', url: 'https://x/', names: 1, rejected: 0, bytes: 1, last_try_unix_s: 1, last_good_unix_s: last, next_try_unix_s: next })); }")"
rows() { echo "[...document.querySelector('main tbody').rows].map((r) => r.querySelector('strong')?.textContent).filter((t) => /late|early|new/.test(t)).join() === '$1'"; }
check "lists sort by their last fetch" browse login "$lists" "$(view lists)" "do:(() => { const b = [...document.querySelectorAll('main th button')].find((e) => e.textContent === 'Last fetch'); b?.click(); return !!b; })()" "do:$(rows 'late,early,new')"
check "a URL may lack its scheme" browse login "$(view lists)" "do:!!document.querySelector('main textarea')" "$(changes /lists/add "(j, u) => { window.sent = u; j.error = 'not now'; }")" \
	"do:(document.querySelector('main textarea').value = 'example.com/list.txt', $(press 'Add lists'))" "do:$(said 'not now') && sent.includes('name=list.txt') && sent.includes('place=https%3A%2F%2Fexample.com%2Flist.txt')"
check "what the box does not serve is said in German" browse speaks:de login "$(view devices)" "do:$(main_has 'DNS über TLSaus')" "do:$(main_has 'Zertifikatenkeine')"
finish
