#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The page of two boxes with one configuration, in headless Chromium: the primary's table of boxes and its roll-out, the notes and
# the barred controls of the secondary, and a promotion.
. "$(dirname "$0")/_init.sh"

. "$smoke_dir/page_lab.sh"
browser_or_skip
. "$smoke_dir/fleet_boxes.sh"
listens 'page: true, allow: [127.0.0.0/8]'
for number in 1 2; do
	must "box $number gets a page" restart $number
	echo 'a long password' | ctl $number password set ann --role admin >/dev/null
	echo 'a long password' | ctl $number password set rob --role read >/dev/null
done
(umask 077 && ctl 1 token create box2 --role sync >$dir/box2.token 2>/dev/null)
at() { url=https://127.0.0.1:996$1/; }                   # the box of the next steps
shows() { echo "do:location.hash = '#/$1', true"; }      # a view
has() { echo "do:document.querySelector('main').textContent.includes('$1')"; }
nav() { echo "[...document.querySelectorAll('#nav a')].some((a) => a.hash === '#/fleet')"; }
axe=$("$root/tools/test" axe) || echo "  no axe-core: the rules of accessibility are left out"

at 1
check "a box alone has no view of a fleet" browse login "do:!$(nav)"
same "nor sections of another box" null "$(ctl 1 --json fleet status | jq -c .secondary)"

must "box 1 has a list, a record, a group and an entry" eval 'ctl 1 group create kids 198.18.1.9 && ctl 1 local add cam.test A 192.0.2.2 && ctl 1 deny entry.test && ctl 1 deny game.test --group kids'
follows_box1 2 box2
must "box 2 gets a primary" restart 2
held() { [ "$(fleet 1 '.primary.boxes[] | select(.name == "box2") | "\(.current) \(.result)"')" = "true held" ]; }
must "it holds the primary's configuration" eventually eval 'later 2; held'
clocks_agree() { [ "$(fleet 1 '[.primary.boxes[].clock_ms | fabs] | max < 1000')" = true ]; }
ahead 31 # both have polled since the clock was moved
must "their clocks agree" eventually clocks_agree

echo "# the primary"
check "the view of the primary" browse login "do:$(nav)" "$(shows fleet)" "$(has 'All boxes are as they should be.')" \
	"do:[...document.querySelectorAll('main tbody tr')].map((r) => [...r.cells].slice(0, 3).map((c) => c.textContent).join()).join(';') === 'box2,up to date,127.0.0.1'" \
	only:fleet ${axe:+axe:}${axe:-views}
# report BOX EPOCH PRIMARY: a poll in place of a box, which holds nothing
report() { curl -s -o /dev/null -w '%{http_code}' -m 5 --cacert $dir/ca.pem -H "Authorization: Bearer $(cat $dir/box2.token)" https://127.0.0.1:9961/v1/sync \
	-d protocol=2 -d box="$1" -d epoch="$2" -d primary="$3" -d digest= -d version=0 -d result=none -d reason= -d ready=1 -d unix_ms=1 -d software=x; }
# Box 2 would end the roll-out while a browser starts: it gets the version once it is looked at.
must "box 2 goes" "$lab" --name 2 stop controlplane
while sleep 2; do report box2 1 box1 >/dev/null; done &
reports=$!
must "box 1 blocks another name" ctl 1 deny roll.test
must "which its health holds with" eventually eval 'later 3; [ "$(ctl 1 --json status | jq .controlplane.config_version.watch_left_s)" = 0 ]'
check "its roll-out is there, stops and goes on" browse login "$(shows fleet)" "$(has 'goes out since')" "do:(window.confirm = () => true, $(press Stop))" "$(has 'is stopped since')" "$(has 'Continue')" \
	"do:$(press Continue)" "$(has 'goes out since')"
kill $reports
must "box 2 is back" "$lab" --name 2 start controlplane
must "it holds the version" eventually eval 'later 2; held'
check "then it has ended" browse login "$(shows fleet)" "$(has 'is handed out to all boxes')"
# boxes ROLLOUT: a stub of GET /fleet in this page alone, and what is posted in window.sent
stub() {
	cat <<-END
		do:(() => { const f = fetch; window.sent = []; window.asked = 0; window.why = '';
		  const box = (name, more) => ({ name, from: '192.0.2.7', seen_ms: 400, away: false, twin: false, epoch: 1, version: 14, current: true, result: 'held', reason: '', ready: true, clock_ms: 12, software: 'VERSION', wave: 1, ...more });
		  window.state = { state: 'rolling', version: 14, base_version: 12, wave: 1, waves: 3, released: 1, held: 0, boxes: 6, since_ms: 3000, box: '', reason: '' };
		  window.fetch = async (u, o) => {
		    if (o?.method === 'POST' && u.startsWith('/v1/fleet/')) { sent.push(u); return new Response('{}'); }
		    if (!u.startsWith('/v1/fleet')) return f(u, o);
		    asked++;
		    const software = (await (await f('/v1/status')).json()).version;
		    const boxes = [box('a-good'), box('b-waits', { current: false, version: 12, wave: 0 }), box('c-refuses', { current: false, version: 12, result: 'refused', reason: 'no list more' }),
		      box('d-away', { away: true, seen_ms: 400000 }), box('e-twin', { twin: true, clock_ms: -4200, software: '0.0.9' }), box('f-unready', { ready: false })];
		    return new Response(JSON.stringify({ box: 'box1', epoch: 1, store_why: '', primary: { version: 14, why, rival: '', rival_epoch: 0, rollout: state, boxes: boxes.map((b) => ({ ...b, software: b.software === 'VERSION' ? software : b.software })) } }));
		  }; return true; })()
	END
}
order="[...document.querySelectorAll('main tbody tr')].map((r) => r.cells[0].querySelector('strong').textContent[0]).join('')"
cell() { echo "[...document.querySelectorAll('main tbody tr')].find((r) => r.textContent.startsWith('$1'))?.textContent.includes('$2')"; }
check "what differs comes first, in words" browse login "$(stub)" "$(shows fleet)" "$(has '4 of 6 boxes differ')" "do:$order === 'cdfeab'" "do:$(cell c- 'refused the version') && $(cell c- 'no list more')" \
	"do:$(cell d- away) && $(cell e- 'one of two boxes with this name') && $(cell e- '−4 s') && $(cell e- 0.0.9) && $(cell b- 'waits for its wave') && !$(cell a- 's0.1')" wide:1280 wide:360 narrow wide:360
check "a roll-out is stopped, goes on and is taken back, once that is confirmed" browse login "$(stub)" "$(shows fleet)" "$(has 'wave 1 of 3: 0 of 6 boxes have it, 1 may have it')" \
	"do:(window.confirm = () => false, $(press Stop)) && sent.length === 0" "do:(window.confirm = () => true, $(press Stop))" "do:$(said 'roll-out is stopped')" "do:sent.join() === '/v1/fleet/stop?if_version=14&if_state=rolling'" \
	"do:(state = { ...state, state: 'stopped', box: 'd-away', reason: 'silent' }, true)" "$(has 'stopped since')" "$(has 'd-away: silent')" "do:!$(press Stop) && $(press Continue)" "do:$(said 'goes on')" \
	"do:$(press 'Take back')" "do:$(said 'taken back')" "do:sent.slice(1).join() === '/v1/fleet/apply?if_version=14&if_state=stopped,/v1/fleet/stop?back=1&if_version=14&if_state=stopped'" \
	"do:(state = { ...state, state: 'taken_back', box: 'c-refuses', reason: 'no list', goes_back: true }, document.dispatchEvent(new Event('visibilitychange')), location.hash = '#/lists', true)" "$(shows fleet)" "$(has 'Version 14 is taken back since')" "do:!$(press Continue) && !$(press 'Take back') && !$(press 'End the roll-out')" \
	"do:(state = { ...state, goes_back: false }, location.hash = '#/lists', true)" "$(shows fleet)" "$(has 'End the roll-out')" "do:$(press 'End the roll-out')" "do:$(said 'The roll-out has ended')" "do:sent.at(-1) === '/v1/fleet/apply?if_version=14&if_state=taken_back'"
check "after a start it counts no boxes before they ask" browse login "$(stub)" "do:(state = { ...state, waits_ms: 65000, released: 0 }, true)" "$(shows fleet)" "$(has 'wave 1 of 3: no further box gets it for')" "$(has 'ask, 6 so far')"
check "it says why it hands nothing out, and does not ask again and again of what is stopped" browse login "$(stub)" "do:(why = 'over 1 MiB', state = { ...state, state: 'stopped' }, true)" "$(shows fleet)" \
	"$(has 'The version in force is not handed out: over 1 MiB')" "do:(window.from ??= [Date.now(), asked], Date.now() - from[0] > 9000 && asked - from[1] < 3)"
who=rob check "one who only looks sees why not" browse login "$(stub)" "do:(window.confirm = () => true, location.hash = '#/fleet', true)" "do:$(press Stop)" "do:$(said 'role admin')" "do:sent.length === 0"

echo "# the secondary"
at 2
link() { echo "do:document.querySelector('main .taken a')?.href === 'https://127.0.0.1:9961/#/$1'"; }
check "its view names the primary and what it takes" browse login "$(shows fleet)" "$(has 'it takes its configuration from box1')" "$(has 'lists and blocking, upstream servers')" "$(has 'in force, in good health')"
# bars BUTTON [ROW]: it says why, and sends nothing; a reply 409 would be found on the console
bars() { printf '%s\n' "do:$(press "$@")" "do:$(said 'takes this from box1: change it there')" "do:(document.getElementById('said').textContent = '', true)"; }
mapfile -t versions < <(bars 'Undo this change' && bars 'Go back to it' 'sync version')
check "versions of the primary's making, which it does not leave" browse login "$(shows config)" "${versions[@]}"
mapfile -t lists < <(bars 'Add lists' && bars Add)
check "lists" browse login "$(shows lists)" "$(link lists)" "$(has 'takes lists and blocking, entries by hand from box1')" "${lists[@]}" "do:document.querySelector('main textarea').disabled && document.querySelector('main textarea').title.includes('box1')"
mapfile -t groups < <(bars 'Make group' && bars Move && bars 'Block service' && bars 'Safe search on')
check "groups" browse login "$(shows groups)" "$(link groups)" "do:(document.querySelectorAll('main details').forEach((d) => { d.open = true; }), true)" "${groups[@]}"
mapfile -t local < <(bars Add && bars Set)
check "local names" browse login "$(shows local)" "$(link local)" "${local[@]}"
mapfile -t settings < <(bars 'Use only these')
check "settings: those of the primary, not the box's own" browse login "$(shows settings)" "$(link settings)" "${settings[@]}" "do:$(put 'Serve expired answers' immediate)" "do:$(send 'Serve expired answers')" "do:$(said 'Serve expired answers: at once')"
check "a change of its own is undone" browse login "do:(window.confirm = () => true, location.hash = '#/config', true)" "do:$(press 'Undo this change')" "do:$(said 'is in force again')"
mapfile -t names < <(bars Allow entry.test)
box2() { "$lab" --name 2 exec kdig +timeout=1 +retry=1 @198.18.2.53 "$1" A; }
box2 entry.test >/dev/null
check "queries, and a pause, which is no configuration" browse login "$(shows queries)" "$(link queries)" "${names[@]}" "do:document.querySelector('header [aria-expanded]').click() ?? true" \
	"do:(() => { const b = [...document.querySelectorAll('#pause button')].find((e) => e.textContent === 'Pause 5 min'); b?.click(); return !!b; })()" "do:$(said 'is paused')"
check "every control at each size and by the rules" browse login only:fleet,lists,groups,local,settings,client ${axe:+axe:}${axe:-views}
check "in German" browse speaks:de login only:fleet,lists,groups,settings german${axe:+:$axe}
who=rob check "who only looks does not promote it" browse login "do:(window.confirm = () => true, location.hash = '#/fleet', true)" "do:$(press 'Make this box the primary')" "do:$(said 'role admin')"
check "promoted, it takes nothing any more" browse login "do:(window.confirm = () => true, location.hash = '#/fleet', true)" "do:$(press 'Make this box the primary')" "do:$(said 'box2 is a primary with epoch 2')" \
	"$(has 'No box has asked this one since its start')" "$(shows lists)" "do:!!document.querySelector('main table') && !document.querySelector('main .taken')"
same "by its control plane, too" "2 null" "$(fleet 2 '"\(.epoch) \(.secondary)"')"

echo "# two primaries"
at 1
same "box 1 refuses a box that follows a higher epoch" 409 "$(report probe 9 box9)"
check "says so, and is promoted" browse login "do:(window.confirm = () => true, location.hash = '#/fleet', true)" "$(has 'There are two primaries: box9 has epoch 9, this box has epoch 1')" \
	"do:$(press 'Make this box the primary')" "do:$(said 'box1 is a primary with epoch 10')" "do:!document.querySelector('main .problems')"
fleet_end
