#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# "This box" on the page: version, events and audit log as weirctl has them, users and tokens by what they may do then, a
# backup by a restore of it, no secret that stays in the page, and nothing of it for who may not.
. "$(dirname "$0")/_init.sh"

lab_up
. "$smoke_dir/page_lab.sh"
browser_or_skip
page_configure 'page: true'
included=$(basename $dir)/conf.$(printf 'd%.0s' {1..80}) # too long for a name of a tar archive alone
mkdir "$(dirname $config)/$included"
echo 'blocking: {deny: [included.test]}' >"$(dirname $config)/$included/deny.yaml"
echo "include: [$included/*.yaml]" >>$config
"$lab" stop controlplane >/dev/null
check "restarted" "$lab" start controlplane
check "a user" eventually page_user
https() { curl -s --cacert $dir/ca.pem -o $tmp/body -w '%{http_code}' "$@"; }
log_in() { https -d "user=$1" -d "password=$2" -H "Origin: ${url%/}" ${url}v1/session; }
there="do:(window.confirm = () => true, location.hash = '#/box', true)"
ready="do:document.querySelectorAll('main caption').length === 5"
in_page() { echo "document.querySelector('main').textContent.includes('$1')"; }
of_users() { echo "(() => { const s = document.querySelector('[aria-label=Users]'), f = s.querySelector('form'); [...f.querySelectorAll('input, select')].forEach((e, i) => { e.value = ['$1', '$2', '$3'][i]; }); f.requestSubmit(); return true; })()"; }
of_tokens() { echo "(() => { const f = document.querySelector('[aria-label=Tokens] > form'); [...f.querySelectorAll('input, select')].forEach((e, i) => { e.value = ['$1', '$2', '$3'][i]; }); f.requestSubmit(); return true; })()"; }

weirctl upstream drain 127.0.0.1:5301 >/dev/null
check "version, times, events and log are those of weirctl" browse login "$there" "$ready" "do:$(in_page "$(weirctl --json status | jq -r '.controlplane | .version + ", commit " + .commit')")" \
	"do:$(in_page 'Not checked yet.') && $(in_page 'weirctl doctor --save') && /Control planesince .*, [0-9]+ (s|min) ago/.test(document.querySelector('main .facts').textContent) && /Data planesince/.test(document.querySelector('main .facts').textContent)" \
	"print:[...[...document.querySelectorAll('main table')].find((t) => t.caption.textContent === 'Events').tBodies[0].rows].map((r) => r.cells[2].textContent).join('\n')" \
	"do:(() => { const t = [...document.querySelectorAll('main table')].at(-1); return t.caption.textContent === 'Audit log' && t.textContent.includes('POST /upstream/drain?server=127.0.0.1:5301') && t.textContent.includes('/session'); })()"
cp $tmp/browser $tmp/events
check "the newest event first: $(head -1 $tmp/events)" eval 'head -3 $tmp/events | grep -q "127.0.0.1:5301 gets no more questions"'

check "add a user" browse login "$there" "$ready" "do:$(of_users mia read 'the first password')" "do:$(said 'mia has the password and the role read.')" \
	"do:!!document.querySelector('[aria-label=Users] input[type=password]') && !document.querySelector('[aria-label=Users] input[type=password]').value"
same "who can log in" 200 "$(log_in mia 'the first password')"
same "with that role" read "$(jq -r .role $tmp/body)"
check "another role and password" browse login "$there" "$ready" "do:$(press Change mia)" \
	"do:(() => { const [u, r] = document.querySelectorAll('[aria-label=Users] form input, [aria-label=Users] form select'); return u.value === 'mia' && r.value === 'read' && document.activeElement.type === 'password'; })()" \
	"do:$(of_users mia operate 'another password')" "do:$(said 'the role operate.')"
same "the old password is refused" 401 "$(log_in mia 'the first password')"
same "the new one is not" 200 "$(log_in mia 'another password')"
same "with the new role" operate "$(jq -r .role $tmp/body)"
check "a short password is refused" browse login "$there" "$ready" "do:$(of_users mia admin short)" "do:$(said 'password: must be')"
same "and changes nothing" operate "$(weirctl --json password list | jq -r '.users[] | select(.name == "mia").role')"
check "remove the user" browse login "$there" "$ready" "do:$(press Remove mia)" "do:$(said 'mia is removed.')" "do:!document.querySelector('[aria-label=Users] table').textContent.includes('mia')"
same "who is refused" 401 "$(log_in mia 'another password')"

seen() { echo "(document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((e) => e.value).join() + JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, location.href])).includes($1)"; }
check "make a token, which is shown once and leaves no trace" browse login "$there" "$ready" "do:$(of_tokens probe read 2592000)" "do:$(said 'The token probe is made.')" \
	"do:(window.made = document.querySelector('main .about input')?.value, /^weir_[0-9a-f]{64}\$/.test(made)) && $(seen made)" "print:made" wide:360 "do:$(press Copy)" "do:$(said Copied.)" \
	"do:location.hash = '#/cache', true" "do:document.querySelector('main h1')?.textContent === 'Cache' && !$(seen made)" "$there" "$ready" "do:$(in_page probe) && !$(seen made)"
token=$(grep ^weir_ $tmp/browser)
bearer() { https -H @<(printf 'Authorization: Bearer %s\n' "$token") "$@"; }
same "which reads" 200 "$(bearer ${url}v1/status)"
same "and no more" 403 "$(bearer -X POST "${url}v1/blocklist/pause?minutes=5")"
check "it ends in 30 days" eval 'weirctl --json token list | jq -e "any(.tokens[]; .name == \"probe\" and .role == \"read\" and .expires_unix_s - .created_unix_s == 2592000)"'
check "revoke it" browse login "$there" "$ready" "do:$(press Revoke probe)" "do:$(said 'probe is revoked.')" "do:$(in_page '/token/revoke?name=probe')"
same "it is refused" 401 "$(bearer ${url}v1/status)"

# A secret that stands in the configuration is in no backup.
check "a change, with a secret" weirctl list add secret.list 'https://reader:hidden@127.0.0.1:8099/list'
mkdir $tmp/saved $tmp/new
check "back up" browse login "downloads:$tmp/saved" "$there" "$ready" "do:$(press 'Download backup')" "do:$(said 'with *** for 1 secret')" "do:new Promise((r) => setTimeout(() => r(true), 1000))"
saved=$(echo $tmp/saved/weir-*.tar)
check "the file has no secret: $(basename "$saved")" eval 'tar -xOf $saved state/config/managed.yaml | grep -qF "https://***@" && ! grep -q hidden $saved'
check "what changed is as weirctl shows it" eval 'diff <(tar -xOf $saved state/config/managed.yaml) <(weirctl --json config show | jq -j ".files[-1].text")'
check "weirctl restore takes it" eval 'weirctl -c $tmp/new/weir.yaml restore $saved | grep -q "2 files restored"'
check "each file as it was" eval 'cmp $config $tmp/new/weir.yaml && diff -r $(dirname $config)/$included $tmp/new/$included'
same "for weir's group, and nobody else" 640 "$(stat -c %a $tmp/new/weir.yaml)"

# On a secondary /config/show has what the primary shares, too, before the managed part.
shared="window.fetch = ((f) => async (...a) => { const r = await f(...a); if (!a[0].endsWith('/config/show')) return r; const b = await r.json(), m = b.files.at(-1); b.files.splice(-1, 0, { path: m.path.replace('managed', 'shared'), text: 'entries: []\\n' }); return new Response(JSON.stringify(b), r); })(fetch)"
mkdir $tmp/secondary
check "back up a secondary" browse login "downloads:$tmp/secondary" "$there" "$ready" "do:($shared, true)" "do:$(press 'Download backup')" "do:$(said 'with *** for 1 secret')" "do:new Promise((r) => setTimeout(() => r(true), 1000))"
same "with the shared part" 'entries: []' "$(tar -xOf $tmp/secondary/weir-*.tar state/config/shared.yaml)"
check "and the managed one" cmp <(tar -xOf $tmp/secondary/weir-*.tar state/config/managed.yaml) <(tar -xOf $saved state/config/managed.yaml)

# The way back of the managed part, on the page and by the API.
pack() { tar --create --file $1 --directory $2 weir-backup config state; }
choose() { echo "do:(() => { const i = document.querySelector('[aria-label=Backup] input[type=file]'), d = new DataTransfer(); d.items.add(new File([Uint8Array.from(atob('$(base64 -w0 $1)'), (c) => c.charCodeAt(0))], '$(basename $1)')); i.files = d.files; i.dispatchEvent(new Event('change')); return true; })()"; }
changes="[...document.querySelectorAll('[aria-label=Backup] tbody tr')].map((r) => [...r.cells].map((c) => c.textContent).join('|')).join('\n')"
mkdir $tmp/packed && tar -xf $saved -C $tmp/packed
managed=$tmp/packed/state/config/managed.yaml
version() { weirctl --json status | jq .controlplane.config_version.version; }
check "a secret is left out: no way back" browse login "$there" "$ready" "$(choose $saved)" "do:$(in_page 'has *** for 1 secret')" "do:![...document.querySelectorAll('[aria-label=Backup] button')].some((b) => b.textContent === 'Restore')"
sed -i 's/\*\*\*/reader:hidden/' $managed
pack $tmp/box1.tar $tmp/packed
check "what goes" weirctl list remove secret.list
check "what is new" weirctl deny new.test
before=$(version)
check "the page restores it" browse login "$there" "$ready" "$(choose $tmp/box1.tar)" "do:$(in_page 'What box1.tar changes')" "print:$changes" wide:360 "do:$(press Restore)" "do:$(said 'restored as one version')"
cp $tmp/browser $tmp/changes
check "and said before what it changes" eval 'grep -q "^Lists|1: secret.list||" $tmp/changes && grep -q "^Allowed and blocked names||1: new.test|" $tmp/changes'
check "the list is back" eval 'weirctl blocklist status | grep -q secret.list'
check "the new entry is gone" eval '! weirctl entries | grep -q new.test'
same "by one version" $((before + 1)) "$(version)"
check "of which the audit log tells" eval 'weirctl audit | grep -q "config restore"'
check "which goes back" weirctl config rollback $before
check "to the new entry" eval 'weirctl entries | grep -q new.test'
deny() { echo "do:import('/api.js').then((m) => m.post('/entries/add', { name: '$1', verdict: 'deny' })).then(() => true)"; }
check "a change after the choice of the file is not taken back unseen: the page shows it, and asks again" browse login "$there" "$ready" "$(choose $tmp/box1.tar)" "do:$(in_page 'What box1.tar changes')" "$(deny late.test)" \
	"do:$(press Restore)" "do:$(said 'has changed since version')" "do:$(in_page 'late.test')" "do:$(press Restore)" "do:$(said 'restored as one version')"
check "is gone then" eval '! weirctl entries | grep -q late.test'
for i in {1..830}; do echo "# $(printf '.%.0s' {1..70})"; done >$tmp/padding
cp $managed $tmp/managed.short && cat $tmp/padding $tmp/managed.short >$managed && echo 'entries: [{name: large.test, verdict: deny}]' >>$managed
pack $tmp/large.tar $tmp/packed && cp $tmp/managed.short $managed
check "the page restores a part of $(stat -c %s $tmp/large.tar) bytes" browse login "$there" "$ready" "$(choose $tmp/large.tar)" "do:$(in_page 'What large.tar changes')" "do:$(press Restore)" "do:$(said 'restored as one version')"
check "all of it is in force" eval 'weirctl entries | grep -q large.test'
check "an order" eval 'weirctl deny first.test && weirctl deny second.test'
weirctl --json config show | jq -j '.files[-1].text' | sed 's/\*\*\*/reader:hidden/' | awk '/"first\.test"/ { held = $0; next } { print } /"second\.test"/ { print held }' >$managed
pack $tmp/order.tar $tmp/packed
check "that is another in the backup is a difference" browse login "$there" "$ready" "$(choose $tmp/order.tar)" "do:$(in_page 'What order.tar changes')" "print:$changes" "do:[...document.querySelectorAll('[aria-label=Backup] button')].some((b) => b.textContent === 'Restore')"
check "and is said to be one" grep -qx 'Allowed and blocked names|||the order' $tmp/browser
head -c 512 /dev/zero >$tmp/none.tar
check "no backup" browse login "$there" "$ready" "$(choose $tmp/none.tar)" "do:$(said 'is no backup of weir')"
check "what is not there in the archive" eval 'rm $managed && pack $tmp/bare.tar $tmp/packed'
check "is not restored" browse login "$there" "$ready" "$(choose $tmp/bare.tar)" "do:$(said 'has no managed.yaml')"

post() { bearer --data-binary "$1" "${url}v1/config/restore${2-}"; }
says() { jq -e --arg part "$1" '.error | contains($part)' $tmp/body >/dev/null; }
token=$(weirctl token create helper --role operate 2>/dev/null)
same "not by who may not" 403 "$(post 'entries: []')"
token=$(weirctl token create other --role admin 2>/dev/null)
before=$(version)
same "a mask is refused" 400 "$(post 'blocking: {lists: [{name: a, url: "https://***@127.0.0.1/"}]}')"
check "by its line" says 'line 1 has ***'
same "bad YAML is refused" 400 "$(post 'entries: [')"
same "and what no command makes" 400 "$(post 'redis: {mode: off}')"
same "and what the configuration refuses" 400 "$(post 'entries: [{name: a.test, verdict: perhaps}]')"
head -c 70000 /dev/zero | tr '\0' '#' >$tmp/long
same "a long body is refused" 413 "$(post @$tmp/long)"
same "and a longer text" 400 "$(post x '?of=1048577')"
same "nothing has changed" $before "$(version)"
{ head -c 60000 $tmp/long && echo && echo 'entries: [{name: parts.test, verdict: deny}]'; } >$tmp/text
of="of=$(stat -c %s $tmp/text)"
head -c 50000 $tmp/text >$tmp/first && tail -c +50001 $tmp/text >$tmp/second
id_of() { jq -r .id $tmp/body; }
same "a part" 200 "$(post @$tmp/first "?$of")"
first=$(id_of)
same "that of another window" 200 "$(post @$tmp/first "?$of")"
id=$(id_of)
same "after which the first window does not go on" 409 "$(post @$tmp/second "?at=50000&$of&id=$first")"
check "as another restore has begun" says 'another restore has begun'
same "nor does one without an id" 409 "$(post @$tmp/second "?at=50000&$of")"
same "one at a time" 503 "$(curl -s --unix-socket /run/weir/control/control.sock -o $tmp/body -w '%{http_code}' --data-binary 'entries: []' http://weir/v1/config/restore)"
check "by whom" says 'token other sends a restore'
same "no gap" 409 "$(post @$tmp/second "?at=49999&$of&id=$id")"
same "the other part" 200 "$(post @$tmp/second "?at=50000&$of&id=$id")"
check "all of it is in force" eval 'weirctl entries | grep -q parts.test'

nothing="do:document.querySelectorAll('main caption').length === 2 && !document.querySelector('main :is(button, form):not(thead *, .tools *)')"
for role in read operate; do
	echo 'a long password' | weirctl password set who-$role --role $role >/dev/null
	who=who-$role check "a user of role $role sees version, problems and events alone" browse login "$there" "$nothing" "do:$(in_page 'drained') && $(in_page 'commit')"
done
# What doctor found. In place of systemd, which does not run here, this script starts the check that the page asks for.
report=/run/weir/lab/state/doctor
asks() { curl -s --unix-socket /run/weir/control/control.sock -o $tmp/body -w '%{http_code}' "$@"; }
same "without systemd nobody can ask for a check" 409 "$(asks -X POST http://weir/v1/doctor/run)"
check "which names the command" says 'sudo weirctl doctor --save'
check "doctor saves what it finds" eval 'weirctl doctor --save >$tmp/doctor && [ "$(stat -c %a $report)" = 640 ]'
problems=$(jq '[.findings[] | select(.verdict != "ok")] | length' $report) ok=$(jq .ok $report)
first=$(jq -r '[.findings[] | select(.verdict != "ok")] | (map(select(.verdict == "wrong")) + map(select(.verdict == "warning")) + map(select(.verdict == "unknown")))[0].text' $report)
command=$(jq -r 'first(.findings[] | select(.do)).do' $report)
check "it has found something" test "$problems" -gt 1 -a "$ok" -gt 1 -a -n "$command"
of_table() { echo "[...document.querySelectorAll('[aria-label=\"Check of the machine\"] table')].find((t) => t.caption.textContent === '$1')?.tBodies[0].rows"; }
shown="do:$(of_table Findings)?.length === $problems && $(of_table 'In order')?.length === $ok"
check "the page shows it, what is wrong first: $first" browse login "$there" "$shown" "do:$(of_table Findings)[0].textContent.includes($(jq -n --arg t "$first" '$t'))" \
	"do:/Checked .*, [0-9]+ (s|min) ago/.test(document.querySelector('main').textContent) && $(in_page "$ok in order")" \
	"do:[...document.querySelectorAll('main td code')].some((c) => c.textContent === $(jq -n --arg t "$command" '$t'))" wide:360 "do:$(press Copy)" "do:$(said Copied.)"
who=who-read check "a user of role read sees the same, and no button" browse login "$there" "$shown" "do:!document.querySelector('main :is(button, form):not(thead *, .tools *)')"
mkdir -p /run/systemd/system
token=$(weirctl token create looker --role read 2>/dev/null)
same "nor may that role ask" 403 "$(bearer -X POST ${url}v1/doctor/run)"
before=$(jq .checked_unix_s $report)
(eventually test -e $report.request && weirctl doctor --save >/dev/null 2>&1) &
who=who-operate check "an operator has it checked now" browse login "$there" "$shown" "do:$(press 'Check now')" "do:$(said 'The machine is checked.')"
check "by a new report" test "$(jq .checked_unix_s $report)" -gt "$before" -a ! -e $report.request
same "one each minute" 429 "$(asks -D $tmp/head -X POST http://weir/v1/doctor/run)"
check "which the reply says" eval 'says "one each 60 s" && grep -qi "^Retry-After: 60" $tmp/head'
check "the audit log has who asked" eval 'weirctl audit | grep "doctor/run" | grep -q who-operate'
head -c 200 $report >$tmp/cut && cp $tmp/cut $report
check "a damaged report is named" browse login "$there" "do:$(in_page "$report is no report")" "do:!$(of_table Findings)"
rmdir /run/systemd/system
check "the data plane stops" "$lab" stop dataplane
check "which the view says" browse login "$there" "$ready" "do:/Data planedown/.test(document.querySelector('main .facts').textContent) && $(in_page 'Start the data plane')"
check "a change of one's own password ends the session" browse login "$there" "$ready" "do:$(of_users ann admin 'a longer password')" "do:$(said 'ann has the password')" "do:!!document.querySelector('.login')"
same "the new one is in force" 200 "$(log_in ann 'a longer password')"
finish
