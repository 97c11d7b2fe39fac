// SPDX-License-Identifier: BSD-3-Clause
// The box: its version, what is wrong, the check of the machine, events; for an admin a backup, users, tokens and the audit log.
import { h, row, fill, named, table, figure, field, form, choice, action, complain, facts, mark, number, say, SECONDS, span, when } from './dom.js';
import { change, get, mayAdmin, nowMs, post } from './api.js';
import { doctor } from './doctor.js';
import { problemsShow } from './now.js';
import { _, pieces } from './words.js';

const EVENTS = 100, AUDITED = 100, DAY_S = 86400;
const LASTS = [[30 * DAY_S, _`30 days`], [90 * DAY_S, _`90 days`], [365 * DAY_S, _`a year`], ['', _`until it is revoked`]];

const since = (ms) => _`since ${when((nowMs() - ms) / 1000)}, ${span(ms / 1000)} ago`;
const severity = (s) => mark({ error: 'bad', warning: 'warn' }[s] ?? 'soft', s);
const name = (options = {}) => h('input', { required: true, maxLength: 32, size: 14, pattern: '[A-Za-z0-9._\\-]+', title: _`Letters, digits, "-", "_" and "."`, autocomplete: 'off', ...options });
const roles = () => choice(['read', 'operate', 'admin'], 'read');

function aboutShow(status, dataplane) {
  const version = status.config_version?.version, d = dataplane.stats;
  return facts([[_`Version`, _`${status.version}, commit ${status.commit}`], [_`Newer version`, status.updates?.available ? status.updates.version : ''],
    [_`Control plane`, since(status.uptime_ms)],
    [_`Data plane`, dataplane.state === 'up' ? since(d.heartbeat_ms - d.start_ms) + (d.version === status.version ? '' : _`, version ${d.version}`) : mark('bad', dataplane.state)],
    [_`Configuration`, version ? _`version ${version} since ${when(status.config_version.since_unix_s)}, of ${status.config}` : status.config]]);
}

const errorsShow = (errors) => table(_`Warnings and errors in the log`, [
  { title: _`Last`, tight: true, of: (e) => when(e.last_unix_ms / 1000, SECONDS) }, figure(_`Times`, (e) => number(e.count)), named(_`Text`, (e) => e.text), { title: _`Process`, of: (e) => e.process }],
errors.sort((a, b) => b.last_unix_ms - a.last_unix_ms), _`None.`);

const eventsShow = (events) => table(_`Events`, [{ title: _`When`, tight: true, of: (e) => when(e.unix_ms / 1000, SECONDS) }, { title: _`Severity`, of: (e) => severity(e.severity) },
  named(_`What`, (e) => e.text), { title: _`Kind`, of: (e) => e.kind }], events.slice(-EVENTS).reverse(), _`None since the start of the control plane.`);

function auditShow(entries) {
  const what = (e) => (e.what ? e.what + (e.version ? _` (version ${e.version})` : '') : `${e.method} ${e.path}${e.query ? `?${e.query}` : ''}`);
  const result = (e) => (e.refused ? mark('warn', e.refused) : e.status ? h('span', { class: e.status >= 400 ? 'bad' : undefined }, String(e.status)) : e.what ? '' : _`begins`);
  return table(_`Audit log`, [{ title: _`When`, tight: true, of: (e) => when(e.unix_s, SECONDS) }, { title: _`Result`, short: true, of: result }, { title: _`Who`, of: (e) => e.who || _`nobody` },
    named(_`What`, what), { title: _`From`, of: (e) => e.from ?? '' }], entries.reverse());
}

// A user is made, or gets another password and role: weir takes both at once.
function users(look) {
  const list = h('div'), who = name(), role = roles();
  const password = h('input', { type: 'password', required: true, minLength: 10, maxLength: 256, autocomplete: 'new-password' });
  const edit = (u) => {
    who.value = u.name;
    role.value = u.role;
    password.focus();
  };
  const set = async () => {
    const user = who.value;
    await post('/password/set', { name: user, role: role.value }, { body: new URLSearchParams({ password: password.value }) });
    await look().catch((e) => { if (e.status !== 401) throw e; }); // one's own session has ended
    return _`${user} has the password and the role ${role.value}. Sessions of ${user} have ended.`;
  };
  const show = ({ users: all, sessions }) => fill(list, table(_`Users with a password; sessions: ${number(sessions)}`, [named(_`User`, (u) => u.name), { title: _`Role`, of: (u) => u.role },
    { title: _`Actions`, of: (u) => row(h('button', { type: 'button', onclick: () => edit(u) }, _`Change`),
      action(_`Remove`, () => change(look, _`${u.name} is removed.`, '/password/remove', { name: u.name }), { ask: _`Remove the user ${u.name}? Sessions of ${u.name} end.` })) }], all, undefined, { key: 'users' }));
  return { show, box: h('section', { 'aria-label': _`Users` }, h('h2', {}, _`Users`), list,
    form([field(_`User`, who), field(_`Role`, role), field(_`Password, 10 characters or more`, password)], _`Set user`, set)) };
}

// Shows a token this once: it goes with the view, and with the next one.
function tokens(look, signal) {
  const list = h('div'), made = h('div'), who = name(), role = roles(), lasts = choice(LASTS, LASTS[0][0]);
  const secretShow = (reply) => {
    const text = h('input', { readOnly: true, value: reply.token, size: 70, autocomplete: 'off', onfocus: () => text.select() });
    fill(made, h('div', { class: 'about' }, h('p', {}, _`The token ${reply.name}. weir does not show it again.`),
      row(field(_`Token`, text), action(_`Copy`, async () => { text.select(); await navigator.clipboard.writeText(text.value); return _`Copied.`; }), action(_`Done`, () => fill(made)))));
  };
  const make = async () => {
    const reply = await post('/token/create', { name: who.value, role: role.value, expires: lasts.value });
    if (!signal.aborted) secretShow(reply);
    await look();
    return _`The token ${reply.name} is made.`;
  };
  signal.addEventListener('abort', () => fill(made));
  const show = ({ tokens: all }) => fill(list, table(_`Tokens of programs`, [named(_`Token`, (t) => t.name), { title: _`State`, of: (t) => mark(t.state === 'valid' ? 'good' : 'soft', t.state) }, { title: _`Role`, of: (t) => t.role },
    { title: _`Actions`, of: (t) => t.state === 'valid' && action(_`Revoke`, () => change(look, _`${t.name} is revoked.`, '/token/revoke', { name: t.name }), { ask: _`Revoke the token ${t.name}? What uses it is refused at once.` }) },
    { title: _`Made`, tight: true, of: (t) => when(t.created_unix_s) }, { title: _`Expires`, tight: true, of: (t) => when(t.expires_unix_s) }, { title: _`Last used`, tight: true, of: (t) => when(t.used_unix_s) }], all, _`None.`));
  return { show, box: h('section', { 'aria-label': _`Tokens` }, h('h2', {}, _`Tokens`), h('p', { class: 'soft' }, _`A program uses the control API with a token, as weirctl does from another machine.`),
    list, made, form([field(_`New token: its name`, who), field(_`Role`, role), field(_`Good for`, lasts)], _`Make token`, make)) };
}

function backup() {
  const shown = h('div'), code = (words) => h('code', {}, words);
  const file = h('input', { type: 'file', accept: '.tar', onchange: async () => {
    const [one] = file.files;
    file.value = ''; // the same file may be chosen again
    if (one) await (await import('./backup.js')).chosen(one, shown).catch(complain);
  } });
  return h('section', { 'aria-label': _`Backup` }, h('h2', {}, _`Backup`),
    h('p', {}, _`The file has the configuration in force: its files, and what the page and weirctl have changed. It has no secrets, users, tokens or queries.`),
    action(_`Download backup`, async () => (await import('./backup.js')).download(), { class: 'main' }),
    h('p', {}, pieces`Restore here puts back what the page and weirctl had changed, and shows it first. It leaves the files of the configuration as they are: on the box ${code('sudo weirctl restore --force FILE')} and ${code('sudo weirctl config reload')} put those back. ${h('a', { href: '#/config' }, _`Configuration`)} goes back to an earlier version of all.`),
    field(_`Restore from a backup`, file), shown);
}

export async function show(box, signal) {
  const about = h('div'), problems = h('div'), errors = h('div'), events = h('div'), audit = h('div');
  const look = async () => {
    const [users, tokens, log] = await Promise.all([get('/passwords'), get('/tokens'), get('/audit', { limit: AUDITED })]);
    if (signal.aborted) return;
    people.show(users);
    programs.show(tokens);
    fill(audit, auditShow(log.entries));
  };
  const machine = doctor(signal);
  const people = mayAdmin() && users(look), programs = mayAdmin() && tokens(look, signal);
  box.append(h('h1', {}, _`This box`), about, h('h2', {}, _`What is wrong`), problems,
    machine.box, errors,
    ...(mayAdmin() ? [backup(), people.box, programs.box] : []), h('h2', {}, _`What happened`), events,
    ...(mayAdmin() ? [h('h2', {}, _`Changes and refused requests`), audit] : []));
  const [status, dataplane, ready, up, failures, happened] = await Promise.all([get('/status', {}, { signal }), get('/dataplane', {}, { signal }), get('/ready', { for: 'human' }, { signal }),
    get('/upstreams', {}, { signal }), get('/errors', {}, { signal }), get('/events', { follow: 0 }, { signal }), machine.look()]);
  fill(about, aboutShow(status, dataplane));
  fill(problems, problemsShow(ready, status, up.upstreams));
  fill(errors, errorsShow(failures.errors));
  fill(events, eventsShow(happened.events));
  if (mayAdmin()) await look().catch((e) => { say(e.message); throw e; });
}
