#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Ways back on the page in headless Chromium: a version undone, the names of before, a zone's servers; local names of other types,
# the form of dates and of what is typed.
. "$(dirname "$0")/_init.sh"

. "$smoke_dir/page_lab.sh"
browser_or_skip
lab_up
page_configure 'page: true'
"$lab" stop controlplane >/dev/null
check "restarted" "$lab" start controlplane
page_user >/dev/null
upstream 5302 $tmp/up2.log
weirctl group create kids 198.18.0.99 >/dev/null

settings="do:(window.confirm = () => true, location.hash = '#/settings', true)"
echo "forward_zones: [{name: CAPS.Test, servers: ['127.0.0.1:5302']}]" >>$config
check "a zone that the file has in capitals" taken_over weirctl config apply --why capitals
check "loses its servers by the name that the page shows" browse login "$settings" "do:$(press 'Remove all' 'zone caps.test')" "do:$(said 'zone caps.test has no servers')"
same "everyone alone" everyone "$(weirctl --json upstreams | jq -r '.upstreams[].set')"
check "of which the history says" eval 'weirctl --json config history | jq -e ".versions[0].what == \"zone caps.test removed\""'
view() { echo "do:(window.confirm = (q) => (window.asked = q, true), location.hash = '#/$1', true)"; }
newest="document.querySelectorAll('main tbody tr')[0]?.textContent"
apply="do:import('/api.js').then((m) => m.post('/config/set', { path: 'cache.min_ttl', yaml: 61 })).then(() => { location.hash = '#/config'; return true; })"
check "a version under watch settles by itself, and the newest change is undone where it stands" browse login "$(view local)" "$apply" "do:$newest?.includes('cache.min_ttl set') && $newest.includes('pending')" \
	"do:$newest.includes('applied')" "do:$(press 'Undo this change')" "do:$(said 'is in force again.')" "do:asked.startsWith('Undo \"cache.min_ttl set\"?')"
same "as it was" 0 "$(value cache.min_ttl)"
post() { echo "import('/api.js').then((m) => m.post('$1', $2)).then(() => true)"; }
type_in() { put "$1" "$2" | sed "s/new Event('change')/new Event('input', { bubbles: true })/"; }
set_of() { post /config/set "{ path: '$1', yaml: $2 }"; }
check "an undo takes no later change back: it says whose there is, and shows it" browse login "do:$(set_of cache.min_ttl 62)" "$(view config)" "do:$newest?.includes('cache.min_ttl set')" "do:(window.b = [...document.querySelectorAll('main button')].find((e) => e.textContent === 'Undo this change'), true)" \
	"do:$(set_of cache.stale_window 777)" "do:(b.click(), true)" "do:$(said 'is in force, by user ann (cache.stale_window set): look again')" "do:$newest.includes('cache.stale_window set')"
check "both are in force" eval 'is cache.min_ttl 62 && is cache.stale_window 777'
check "a setting is not replaced unseen, and stays typed" browse login "$(view settings)" "do:$(type_in 'Keep answers at least, in seconds' 63)" "do:$(set_of cache.min_ttl 64)" "do:$(send 'Keep answers at least, in seconds')" \
	"do:$(said '(cache.min_ttl set): look again')" "do:$(send 'Keep answers at least, in seconds')" "do:$(said 'at least, in seconds: 63.')"
check "nor are the clients of a group" browse login "$(view groups)" "do:$(put Clients 198.18.0.98)" "do:$(set_of 'groups[kids].clients' "'[198.18.0.97]'")" "do:$(send Clients)" "do:$(said '(group kids: clients set): look again')"
same "they stay" '["198.18.0.97"]' "$(weirctl --json config overrides | jq -r '.overrides[] | select(.path == "groups[kids].clients").value')"
other=$(set_of cache.min_ttl 65)
check "an entry is not removed unseen" browse login "do:$(post /entries/add "{ name: 'seen.test', verdict: 'deny' }")" "$(view lists)" "do:(window.row = [...document.querySelectorAll('main tr')].find((r) => r.textContent.includes('seen.test')), !!row)" \
	"do:$(post /entries/add "{ name: 'seen.test', verdict: 'deny', why: 'mum' }")" "do:(row.querySelector('button').click(), true)" "do:$(said '(deny seen.test): look again')" "do:$(press Remove mum)" "do:$(said 'seen.test is removed.')"
check "nor does a service go" browse login "do:$(post /services/block "{ service: 'steam', group: 'kids' }")" "$(view groups)" "do:!!document.querySelector('[aria-label=\"Group kids\"]')" "do:$other" "do:$(press 'Allow steam')" \
	"do:$(said '(cache.min_ttl set): look again')" "do:$(press 'Allow steam')" "do:$(said 'steam is no longer blocked')"
check "nor does a client move" browse login "$(view groups)" "do:!!document.querySelector('[aria-label=\"Group kids\"]')" "do:$(set_of cache.min_ttl 66)" "do:$(put Client 198.18.0.96)" "do:$(press Move)" "do:$(said '(cache.min_ttl set): look again')"
check "two presses in a row are both done" browse login "do:$(post /entries/add "{ name: 'one.test', verdict: 'deny' }")" "do:$(post /entries/add "{ name: 'two.test', verdict: 'deny' }")" "$(view lists)" \
	"do:(() => { const of = (name) => [...document.querySelectorAll('main tr')].find((r) => r.textContent.includes(name))?.querySelector('button'), both = [of('one.test'), of('two.test')]; if (!both[0] || !both[1]) return false; for (const b of both) b.click(); return true; })()" \
	"do:import('/api.js').then((m) => m.get('/entries')).then(({ entries }) => !entries.some((e) => e.name === 'one.test' || e.name === 'two.test'))"
check "what adds does not stand for having seen the change before it" browse login "do:import('/api.js').then(async (m) => { const look = { seen: (await m.get('/config/history')).version }; await m.post('/config/set', { path: 'cache.min_ttl', yaml: 67 }); await m.send(look, '/entries/add', { name: 'added.test', verdict: 'deny' }); await m.send(look, '/config/set', { path: 'cache.min_ttl', yaml: 68 }).catch((e) => { window.refused = e.message; }); return true; })" \
	"do:window.refused?.includes('look again')"
check "the other's is in force" is cache.min_ttl 67
check "where it comes right behind what was seen, it does" browse login "do:import('/api.js').then(async (m) => { const look = { seen: (await m.get('/config/history')).version }; await m.send(look, '/entries/add', { name: 'next.test', verdict: 'deny' }); window.refused = await m.send(look, '/config/set', { path: 'cache.stale_window', yaml: 778 }).then(() => 'no', (e) => e.message); return true; })" \
	"do:refused === 'no'"
entry() { weirctl --json entries | jq -r '.entries[] | select(.name == "optional.test") | .verdict + " " + .type + " " + .why'; }
check "a name that a client asks for" client dig +short @$service optional.test
check "an entry that a row does not show is not replaced" browse login "do:(window.confirm = (q) => (window.asked = q, true), location.hash = '#/queries', true)" "do:!!$(press Block optional.test)" "do:$(said 'optional.test is blocked')"
check "another one, with options" weirctl deny optional.test --type A --why homework
check "of which a row asks before it replaces it" browse login "do:(window.confirm = (q) => (window.asked = q, false), location.hash = '#/queries', true)" "do:$(press Block optional.test)" \
	"do:asked === 'optional.test has an entry for everyone: blocked, Query types: A, homework. Replace it with all of this?'"
same "it stays" "deny A homework" "$(entry)"
check "and not after another change" browse login "do:(window.confirm = () => true, location.hash = '#/queries', true)" "do:document.querySelector('main').textContent.includes('optional.test')" \
	"do:$(post /entries/add "{ name: 'optional.test', verdict: 'deny', why: 'dinner' }")" "do:$(press Block optional.test)" "do:$(said '(deny optional.test): look again')"
same "it is the other's" "deny  dinner" "$(entry)"
check "it goes" weirctl deny --remove optional.test
check "nor is one that came since" browse login "do:(window.confirm = () => true, location.hash = '#/queries', true)" "do:document.querySelector('main').textContent.includes('optional.test')" \
	"do:$(post /entries/add "{ name: 'optional.test', verdict: 'deny', why: 'supper' }")" "do:$(press Block optional.test)" "do:$(said 'has an entry for everyone already')"
same "it is of the other, too" "deny  supper" "$(entry)"
check "an entry is replaced by the name that is typed in other letters, too" browse login "$(view now)" "do:$(put Name Typed.TEST.)" "do:$(send Name)" "do:$(press Block)" "do:$(said 'is blocked for everyone')" \
	"do:$(press Allow)" "do:$(said 'typed.test is allowed for everyone')"
check "a difference has room in a narrow window" browse narrow login "$(view config)" "do:$(press 'What changed')" "do:(() => { const p = document.querySelector('main .about pre'); return !!p && p.scrollWidth <= p.clientWidth; })()"
check "a group says where its servers are chosen" browse login "$(view groups)" "do:(() => { const a = document.querySelector('[aria-label=\"Group kids\"] .facts a'); a?.click(); return !!a; })()" \
	"do:[...document.querySelectorAll('[aria-label=\"Choose servers\"] select')].some((s) => s.value === 'group kids')"
check "servers for a group that is gone are set for nobody else" browse login "$(view settings)" "do:$(type_in For 'group kids')" "do:$(post /config/unset "{ path: 'groups[kids]' }")" "do:$(press 'Use only these')" "do:$(said '(group kids removed): look again')" \
	"do:(window.chosen = [...document.querySelectorAll('[aria-label=\"Choose servers\"] select')].map((s) => s.value).join(), true)" "do:chosen.includes('group kids')" "do:$(press 'Use only these')" "do:$(said kids)"
check "not for everyone" eval '! weirctl --json config overrides | grep -q upstreams'
check "the group again" weirctl group create kids 198.18.0.99
answers() { browse login "$(view local)" "do:$(put "$1" "$2")" "do:$(send "$1")" "do:$(said "$1: ")" "do:document.querySelector('main').textContent.includes('as the file says')"; }
check "other types of local names" answers 'Other types of a local name' forward
check "go to the servers" is local.missing_types forward
hold="window.fetch = async (...a) => { const r = await real(...a); if (a[0] === '/v1/local' && !window.go) await new Promise((ok) => { window.go = ok; }); return r; }"
local_name() { printf '%s\n' "do:$(put Name "$1")" "do:$(put Value 192.0.2.7)" "do:$(send Name)"; }
mapfile -t late < <(local_name late.home.arpa)
mapfile -t later < <(local_name later.home.arpa)
check "a look that ends after a later one is not drawn" browse login "$(view local)" "do:!!document.querySelector('main table')" "do:(window.real = fetch, $hold, true)" "${late[@]}" "do:!!window.go" "${later[@]}" "do:document.querySelector('main').textContent.includes('later.home.arpa')" \
	"do:(go(), new Promise((ok) => setTimeout(ok, 500, true)))" "do:(window.stays = document.querySelector('main').textContent.includes('later.home.arpa'), true)" "do:stays"
check "names without a dot" answers 'A name without a dot that is not local' home
check "stay at home" is local.single_labels home
check "both back" eval 'weirctl config clear local.missing_types && weirctl config clear local.single_labels'
ink() { echo "getComputedStyle($1).color"; }
check "a value is no hint" browse login "$(view local)" "do:(() => { const i = document.querySelector('main input'); return !!i && $(ink i) === $(ink document.body) && $(ink "i, '::placeholder'") !== $(ink document.body) && getComputedStyle(i, '::placeholder').fontStyle === 'italic'; })()"
form='[0-9]{1,2} [A-Z][a-z]{2}'
check "dates have one form" browse login "$(view config)" "do:import('/dom.js').then((m) => /^$form 2023, [0-9]{2}:[0-9]{2}\$/.test(m.when(1.7e9)) && /^$form\$/.test(m.date(Date.now() / 1000)) && /^[0-9]{2}:[0-9]{2}\$/.test(m.clock(1.7e9)))" \
	"do:/^$form, [0-9]{2}:[0-9]{2}:[0-9]{2}\$/.test(document.querySelectorAll('main tbody td')[1]?.textContent)"
held() { weirctl --json blocklist status | jq -e ".held == $1"; }
echo later.test >>/run/smoke/blocked.list
check "a change of a list" weirctl blocklist reload
check "later.test is blocked" eventually blocks later.test
check "the names of before come back after a question" browse login "$(view lists)" "do:(() => { const b = [...document.querySelectorAll('main button')].find((e) => e.textContent.startsWith('Back to the names of ')); b?.click(); return !!b; })()" \
	"do:$(said 'are in force, until')" "do:asked.includes('until then weir fetches no list')" "do:document.querySelector('main').textContent.includes('Older names are held')"
check "and stay" held true
check "of two presses in two tabs the second does not undo the first" browse login "$(view lists)" "do:(() => { window.b = [...document.querySelectorAll('main button')].find((e) => e.textContent.startsWith('Back to the names of ')); return !!b; })()" \
	"do:$(post /blocklist/rollback '{}')" "do:(b.click(), true)" "do:$(said 'the image before this one is another now')"
check "until a fetch" browse login "$(view lists)" "do:$(press 'Fetch all now')" "do:$(said 'up to date')"
check "which ends it" held false
finish
